// A stand-in for the environment of a CloudFront Function: the `cloudfront` module, and the part of Buffer that
// edge/viewer-request.js uses. Plain JavaScript, so that both Node and plain V8 can use it.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cwt-support-cloudfront-functions.html

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const BASE64URL = `${LETTERS}${LETTERS.toLowerCase()}0123456789-_`;
const MAX_TOKEN_BYTES = 1024;

const Buffer = {
  from(text, encoding) {
    if (encoding !== 'base64url') throw new TypeError(`the stand-in reads base64url, not ${encoding}`);
    const bytes = [];
    let bits = 0;
    let count = 0;
    for (const character of text) {
      const value = BASE64URL.indexOf(character);
      if (value < 0) throw new TypeError('not base64url');
      bits = ((bits << 6) | value) & 0xffff;
      count += 6;
      if (count >= 8) bytes.push((bits >> (count -= 8)) & 0xff);
    }
    return Uint8Array.from(bytes);
  },
};

/** The module. `store` is the KeyValueStore: its keys and their string values. */
function cloudfront(store) {
  return {
    kvs: () => ({
      async get(name) {
        if (typeof store[name] !== 'string') throw new Error('KeyNotFound');
        return store[name];
      },
    }),
    cwt: { validateToken },
  };
}

/** Checks only the signature, as AWS documents it; throws for anything other than a valid MAC0. */
function validateToken(token, context) {
  if (!(token instanceof Uint8Array)) throw new TypeError('the token is not a Buffer');
  if (token.length > MAX_TOKEN_BYTES) throw new Error('the token is longer than 1 KB');
  let message = decode(token);
  if (message instanceof Tagged && message.tag === 61) message = message.value;
  if (!(message instanceof Tagged) || message.tag !== 17) throw new Error('no COSE_Mac0 tag');
  const [protectedHeaders, unprotectedHeaders, payload, tag] = message.value;
  if (!same(hmac(context.key, macStructure(protectedHeaders, payload)), tag)) throw new Error('wrong MAC');
  return {
    protectedHeaders: protectedHeaders.length ? decode(protectedHeaders) : {},
    unprotectedHeaders,
    payload: decode(payload),
  };
}

function same(one, other) {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

// CBOR (RFC 8949), as far as tokens use it.

class Tagged {
  constructor(tag, value) {
    this.tag = tag;
    this.value = value;
  }
}

/** Returns the single item in these bytes. Maps become objects with string keys. */
function decode(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;

  const take = (count) => {
    if (at + count > bytes.length) throw new Error('CBOR ends too soon');
    at += count;
    return at - count;
  };
  const lengthOf = (info) => {
    if (info < 24) return info;
    if (info === 24) return view.getUint8(take(1));
    if (info === 25) return view.getUint16(take(2));
    if (info === 26) return view.getUint32(take(4));
    if (info === 27) return Number(view.getBigUint64(take(8)));
    throw new Error('CBOR that the stand-in does not read');
  };
  const bytesOf = (count) => {
    const start = take(count);
    return bytes.subarray(start, start + count);
  };
  const item = () => {
    const first = view.getUint8(take(1));
    const major = first >> 5;
    const info = first & 31;
    if (major === 7) return simple(info);
    const length = lengthOf(info);
    switch (major) {
      case 0:
        return length;
      case 1:
        return -1 - length;
      case 2:
        return bytesOf(length);
      case 3:
        return textOf(bytesOf(length));
      case 4: {
        const items = [];
        while (items.length < length) items.push(item());
        return items;
      }
      case 5: {
        const map = {};
        for (let entry = 0; entry < length; entry += 1) {
          const key = item();
          map[String(key)] = item();
        }
        return map;
      }
      default:
        return new Tagged(length, item());
    }
  };
  const simple = (info) => {
    if (info === 20 || info === 21) return info === 21;
    if (info === 22) return null;
    if (info === 26) return view.getFloat32(take(4));
    if (info === 27) return view.getFloat64(take(8));
    throw new Error('CBOR that the stand-in does not read');
  };

  const whole = item();
  if (at !== bytes.length) throw new Error('bytes after the token');
  return whole;
}

function textOf(bytes) {
  return decodeURIComponent(Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''));
}

/** The CBOR of ["MAC0", protected, h'', payload], the input of the MAC (RFC 9052, section 6.3). */
function macStructure(protectedHeaders, payload) {
  const mac0 = [0x64, 0x4d, 0x41, 0x43, 0x30];
  return Uint8Array.from([0x84, ...mac0, ...byteString(protectedHeaders), 0x40, ...byteString(payload)]);
}

function byteString(bytes) {
  const length = bytes.length;
  const head = length < 24 ? [0x40 + length] : length < 256 ? [0x58, length] : [0x59, length >> 8, length & 0xff];
  return [...head, ...bytes];
}

// HMAC-SHA256 (RFC 2104, FIPS 180-4).

function hmac(key, message) {
  const padded = new Uint8Array(64);
  padded.set(key.length > 64 ? sha256(key) : key);
  const inner = sha256(Uint8Array.from([...padded.map((byte) => byte ^ 0x36), ...message]));
  return sha256(Uint8Array.from([...padded.map((byte) => byte ^ 0x5c), ...inner]));
}

const PRIMES = [];
for (let candidate = 2; PRIMES.length < 64; candidate += 1) {
  if (PRIMES.every((prime) => candidate % prime)) PRIMES.push(candidate);
}
const fraction = (root) => Math.floor((root - Math.floor(root)) * 2 ** 32);
const START = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const ROUNDS = PRIMES.map((prime) => fraction(Math.cbrt(prime)));
const turned = (word, by) => (word >>> by) | (word << (32 - by));

function sha256(message) {
  const padded = new Uint8Array(((message.length + 72) >> 6) << 6);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, message.length * 8);
  const state = [...START];
  const words = new Uint32Array(64);
  for (let block = 0; block < padded.length; block += 64) {
    for (let n = 0; n < 64; n += 1) {
      if (n < 16) {
        words[n] = view.getUint32(block + n * 4);
      } else {
        const [two, seven] = [words[n - 15], words[n - 2]];
        const s0 = turned(two, 7) ^ turned(two, 18) ^ (two >>> 3);
        const s1 = turned(seven, 17) ^ turned(seven, 19) ^ (seven >>> 10);
        words[n] = words[n - 16] + s0 + words[n - 7] + s1;
      }
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let n = 0; n < 64; n += 1) {
      const s1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
      const one = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS[n] + words[n]) | 0;
      const two = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, n) => (state[n] = (state[n] + word) | 0));
  }
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, n) => digest.setUint32(n * 4, word));
  return new Uint8Array(digest.buffer);
}
