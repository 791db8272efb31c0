// Runs edge/viewer-request.js, the very file, in Node: `node node.mjs cases.json` prints one verdict a line.
// The file holds {"config": {…}, "requests": [{…}]}, requests as CloudFront passes them.

import { readFileSync } from 'node:fs';
import vm from 'node:vm';

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const source = read('edge/viewer-request.js').replace(/^import cf from 'cloudfront';\n/, "'use strict';\n");
const { config, requests } = JSON.parse(readFileSync(process.argv[2], 'utf8'));

const context = vm.createContext({ console: { log() {} }, store: { config: JSON.stringify(config) } });
vm.runInContext(`${read('dev/emulators/cloudfront.js')}\nconst cf = cloudfront(store);`, context);
vm.runInContext(source, context);
for (const request of requests) {
  context.event = { version: '1.0', request };
  const outcome = await vm.runInContext('handler(event)', context);
  console.log(outcome.statusCode ? outcome.headers['x-playback'].value : 'good');
}
