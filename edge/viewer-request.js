import cf from 'cloudfront';

// Passes a request for video on to the cache and the origin if it has a playback token that is valid now.
// A CloudFront Function on viewer requests, JavaScript runtime 2.0. How to attach it: docs/edge.md.
//
// The KeyValueStore's value `config` is JSON:
//   {"mode": "off|log|enforce", "keys": {"<kid>": "<32 bytes in base64url>"}, "paths": {"/uhd/": "<group>"}}
// `paths` is optional; its prefixes begin and end with a slash. Each function run reads it once, so a change
// takes effect within seconds.
//
// The code uses only documented features of the runtime: no destructuring, for…of, classes or optional chaining.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html

const ISSUER = 'stream-limiter';
const HS256 = 5;
const KEY_BYTES = 32;
// Claims are numbered by the IANA registry. The runtime returns their numbers as strings.
const ALG = '1';
const ISS = '1';
const EXP = '4';
const CATNIP = '311';
const CATU = '312';
const GROUPS = '-65537';
const CATU_PATH = '3';
const CATU_PREFIX = '1';

const TOKEN = /^[A-Za-z0-9_-]{1,1366}$/; // validateToken accepts at most 1 KB
const MAX_TOKENS = 6; // more would only use up the function's time

// Paths that an origin may read differently from the compared path: an encoded or a double slash, a backslash,
// a dot segment (with parameters too, as Java servers have them), a second encoding, a control character.
const ENCODED_SLASH = /%(2f|5c)/i;
const AMBIGUOUS = /\/\/|\\|\/\.{1,2}(;[^\/]*)?(\/|$)|%(2e|2f|5c)|[\u0000-\u001f\u007f]/i;

// Of several tokens, the one that passed the most checks explains the refusal.
const REASONS = ['missing', 'invalid', 'expired', 'address', 'path'];

async function handler(event) {
    const request = event.request;
    const tokens = takeTokens(request);
    if (request.method === 'OPTIONS') {
        return request; // a preflight carries no token
    }
    const config = await readConfig();
    if (config.mode === 'off') {
        return request;
    }
    const reason = refusal(request.uri, tokens, config);
    if (reason === '') {
        return request;
    }
    console.log('playback=' + reason + ' mode=' + config.mode);
    return config.mode === 'log' ? request : forbidden(request, reason);
}

// Removes the tokens from the request, so that no cache key and no origin sees them, and returns them.
function takeTokens(request) {
    const tokens = [];
    take(request.querystring, 'CAT', tokens);
    take(request.headers, 'cta-common-access-token', tokens);
    take(request.cookies, 'CAT', tokens);
    return tokens;
}

function take(fields, name, tokens) {
    const field = fields[name];
    if (field === undefined) {
        return;
    }
    delete fields[name];
    (field.multiValue || [field]).forEach((one) => tokens.push(one.value));
}

// An unreadable configuration enforces without any key: all requests are refused.
async function readConfig() {
    try {
        const text = await cf.kvs().get('config');
        return checked(JSON.parse(text));
    } catch (error) {
        console.log('playback config is unreadable'); // without the reason, which may quote a key
        return { mode: 'enforce', keys: [], paths: {} };
    }
}

function checked(config) {
    if (config.mode === 'off') {
        return config;
    }
    if (config.mode !== 'log' && config.mode !== 'enforce') {
        throw new Error('mode');
    }
    const keys = Object.keys(config.keys).map((kid) => Buffer.from(config.keys[kid], 'base64url'));
    if (!keys.every((key) => key.length === KEY_BYTES)) {
        throw new Error('keys');
    }
    const paths = config.paths === undefined ? {} : config.paths;
    if (!Object.keys(paths).every((prefix) => prefix.startsWith('/') && prefix.endsWith('/'))) {
        throw new Error('paths'); // a path meant for a group must not be open to all
    }
    return { mode: config.mode, keys: keys, paths: paths };
}

// Returns the reason for a refusal, or an empty string.
function refusal(uri, tokens, config) {
    const path = decoded(uri);
    if (path === null) {
        return 'path';
    }
    let furthest = 0;
    for (let i = 0; i < tokens.length && i < MAX_TOKENS; i++) {
        const reason = judge(tokens[i], path, config);
        if (reason === '') {
            return '';
        }
        furthest = Math.max(furthest, REASONS.indexOf(reason));
    }
    return REASONS[furthest];
}

function judge(token, path, config) {
    const cwt = TOKEN.test(token) ? opened(Buffer.from(token, 'base64url'), config.keys) : null;
    // validateToken checks only the signature.
    if (cwt === null || Number(cwt.protectedHeaders[ALG]) !== HS256) {
        return 'invalid';
    }
    const claims = cwt.payload;
    if (claims[ISS] !== ISSUER || !Number.isFinite(claims[EXP])) {
        return 'invalid';
    }
    if (claims[EXP] * 1000 <= Date.now()) {
        return 'expired'; // no leeway: the bound on tokens relies on it
    }
    if (claims[CATNIP] !== undefined) {
        return 'address'; // bound to an address, which is not compared here
    }
    return opensPath(claims, path) && hasGroups(claims, path, config.paths) ? '' : 'path';
}

// The key is needed before the token can be read, so every key is tried.
function opened(token, keys) {
    for (let i = 0; i < keys.length; i++) {
        try {
            return cf.cwt.validateToken(token, { key: keys[i] });
        } catch (error) {
            // signed with another key
        }
    }
    return null;
}

// A restriction other than a single path prefix is not supported, so it opens nothing.
function opensPath(claims, path) {
    const uri = claims[CATU];
    if (uri === undefined) {
        return true;
    }
    if (!isOnly(uri, CATU_PATH) || !isOnly(uri[CATU_PATH], CATU_PREFIX)) {
        return false;
    }
    const prefix = uri[CATU_PATH][CATU_PREFIX];
    return typeof prefix === 'string' && prefix.endsWith('/') && path.startsWith(prefix);
}

function isOnly(map, key) {
    return typeof map === 'object' && map !== null && Object.keys(map).join() === key;
}

function hasGroups(claims, path, paths) {
    const groups = Array.isArray(claims[GROUPS]) ? claims[GROUPS] : [];
    return Object.keys(paths).every((prefix) => !path.startsWith(prefix) || groups.includes(paths[prefix]));
}

// Returns the path that the origin reads, or null if that is uncertain.
function decoded(uri) {
    if (ENCODED_SLASH.test(uri)) {
        return null;
    }
    try {
        const path = decodeURIComponent(uri);
        return AMBIGUOUS.test(path) ? null : path;
    } catch (error) {
        return null;
    }
}

function forbidden(request, reason) {
    const headers = {
        'cache-control': { value: 'no-store' },
        'x-playback': { value: reason },
        'access-control-allow-origin': { value: '*' },
        'access-control-expose-headers': { value: 'x-playback' }
    };
    if (request.headers.origin) {
        // A request with cookies may read the answer only if it names the request's origin.
        headers['access-control-allow-origin'] = { value: request.headers.origin.value };
        headers['access-control-allow-credentials'] = { value: 'true' };
        headers.vary = { value: 'origin' };
    }
    return { statusCode: 403, statusDescription: 'Forbidden', headers: headers };
}
