// The documented features of CloudFront Functions' JavaScript runtime 2.0 that the edge's function may use.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html

import { parse } from 'acorn';

const NODES = new Set([
  'Program',
  'ImportDeclaration',
  'ImportDefaultSpecifier',
  'VariableDeclaration',
  'VariableDeclarator',
  'FunctionDeclaration',
  'ArrowFunctionExpression',
  'BlockStatement',
  'ReturnStatement',
  'ThrowStatement',
  'IfStatement',
  'ForStatement',
  'TryStatement',
  'CatchClause',
  'ExpressionStatement',
  'AssignmentExpression',
  'BinaryExpression',
  'LogicalExpression',
  'UnaryExpression',
  'UpdateExpression',
  'ConditionalExpression',
  'CallExpression',
  'NewExpression',
  'AwaitExpression',
  'MemberExpression',
  'ObjectExpression',
  'Property',
  'ArrayExpression',
  'Identifier',
  'Literal',
]);
const GLOBALS = new Set([
  ...['Array', 'Buffer', 'Date', 'Error', 'JSON', 'Math', 'Number', 'Object', 'console', 'undefined'],
  'decodeURIComponent',
]);
const METHODS = new Set([
  ...['kvs', 'get', 'validateToken'], // of the module
  ...['endsWith', 'startsWith', 'includes', 'indexOf', 'join'],
  ...['every', 'forEach', 'map', 'push'],
  ...['from', 'isArray', 'isFinite', 'keys', 'max', 'now', 'parse', 'test', 'log'],
]);
const OPERATORS = new Set([
  ...['=', '+', '-', '*', '===', '!==', '<', '>', '<=', '>=', '&&', '||', '!', '++', 'typeof', 'delete'],
]);

/** Returns one line for each use of something that the runtime does not document, or that is not listed here. */
export function undocumented(source) {
  const program = parse(source, { ecmaVersion: 'latest', sourceType: 'module', locations: true });
  const nodes = [...walk(program, null)];
  const declared = new Set(nodes.flatMap(([node]) => names(node)).map((identifier) => identifier.name));
  return nodes.flatMap(([node, parent]) =>
    complaints(node, parent, declared).map((what) => `${node.loc.start.line}: ${what}`),
  );
}

/** Yields each node with its parent. */
function* walk(node, parent) {
  yield [node, parent];
  for (const child of Object.values(node).flat()) {
    if (typeof child?.type === 'string') yield* walk(child, node);
  }
}

/** Returns what a node declares; patterns are not identifiers, and their nodes are not among those above. */
function names(node) {
  switch (node.type) {
    case 'ImportDeclaration':
      return node.specifiers.map((specifier) => specifier.local);
    case 'VariableDeclarator':
      return [node.id];
    case 'FunctionDeclaration':
      return [node.id, ...node.params];
    case 'ArrowFunctionExpression':
      return node.params;
    case 'CatchClause':
      return node.param ? [node.param] : [];
    default:
      return [];
  }
}

function complaints(node, parent, declared) {
  const found = NODES.has(node.type) ? [] : [node.type];
  const unless = (good, what) => good || found.push(what);
  if (node.optional) found.push('?.');
  if (node.operator) unless(OPERATORS.has(node.operator), node.operator);
  switch (node.type) {
    case 'ImportDeclaration':
      unless(node.start === 0 && node.source.value === 'cloudfront', 'another import');
      break;
    case 'FunctionDeclaration':
      unless(!node.async || parent.type === 'Program', 'an async closure');
      unless(!node.generator, 'a generator');
      break;
    case 'ArrowFunctionExpression':
      unless(!node.async, 'an async closure');
      break;
    case 'CatchClause':
      unless(node.param, 'catch without its error');
      break;
    case 'AwaitExpression':
      unless(parent.type !== 'CallExpression', 'await in an argument');
      break;
    case 'Property':
      unless(!node.shorthand && !node.computed && !node.method && node.kind === 'init', 'a new kind of property');
      break;
    case 'CallExpression':
      if (node.callee.type !== 'MemberExpression') break;
      unless(METHODS.has(node.callee.property.name), `.${node.callee.property.name}()`);
      unless(node.callee.object.name !== 'console' || node.arguments.length === 1, 'console.log with more than one argument');
      break;
    case 'Identifier':
      if (parent.type === 'MemberExpression' && parent.property === node && !parent.computed) break;
      if (parent.type === 'Property' && parent.key === node) break;
      unless(declared.has(node.name) || GLOBALS.has(node.name), node.name);
      break;
    case 'Literal':
      unless(!node.bigint && !/[^gimy]/.test(node.regex?.flags ?? ''), node.raw);
      unless(!/\(\?<|\\p\{/.test(node.regex?.pattern ?? ''), node.raw);
      break;
  }
  return found;
}
