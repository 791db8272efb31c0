import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { undocumented } from './documented.mjs';

const source = readFileSync(new URL('../../edge/viewer-request.js', import.meta.url), 'utf8');

test('the function uses only features that the runtime documents', () => {
  assert.deepEqual(undocumented(source), []);
});

test('the function is small enough for CloudFront, and leaves room for the operator', () => {
  assert.ok(Buffer.byteLength(source) < 9_000, `${Buffer.byteLength(source)} of 10 KB`);
});

const ABSENT = {
  '?.': 'const a = event?.request;',
  '??': 'const a = event ?? 1;',
  '??=': 'let a = 1; a ??= 2;',
  destructuring: 'const { a } = event;',
  'destructured parameters': 'function f([a]) { return a; }',
  'default parameters': 'function f(a = 1) { return a; }',
  'for…of': 'for (const a of event) { undefined; }',
  'a class': 'class A {}',
  Map: 'const a = new Map();',
  Set: 'const a = new Set();',
  'an async closure': 'const a = async () => 1;',
  'an async function in another': 'function f() { async function g() { return 1; } return g; }',
  'await in an argument': 'async function f(a) { return JSON.parse(await a); }',
  'catch without its error': 'try { undefined; } catch { undefined; }',
  'a spread array': 'const a = [...event];',
  'a spread object': 'const a = { ...event };',
  'a spread argument': 'Math.max(...event);',
  'a shorthand property': 'const a = 1; const b = { a };',
  'console.log with two arguments': "console.log('a', 'b');",
  'console.error': "console.error('a');",
  setTimeout: 'setTimeout(handler, 1);',
  URL: "const a = new URL('x');",
  'Object.fromEntries': 'const a = Object.fromEntries([]);',
  'Array.prototype.at': 'const a = [].at(0);',
  'Array.prototype.flat': 'const a = [].flat();',
  matchAll: "const a = 'x'.matchAll(/x/g);",
  'a look-behind': 'const a = /(?<=x)y/;',
  'a flag of a regular expression': 'const a = /x/u;',
  BigInt: 'const a = 1n;',
  'another import': "import fs from 'fs';",
  'dynamic import': "const a = import('fs');",
  export: 'export const a = 1;',
};

for (const [name, line] of Object.entries(ABSENT)) {
  test(`the check notices ${name}`, () => {
    const lines = undocumented(`${source}\nconst event = {};\n${line}\n`);
    assert.notDeepEqual(lines, [], line);
  });
}
