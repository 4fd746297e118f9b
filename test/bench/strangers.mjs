// The cost of a refused request compared with an accepted one: CPU of the server for each shape that a stranger may send,
// over HTTP/1 and HTTP/2, and for accepted requests in the same run: a small one, and one with a new token. No shape may
// cost more than the dearer of the two, so the last column must be at most 1. Run it with `pnpm bench`. Absolute numbers belong to the machine; the ratios carry over.
import { fork } from 'node:child_process';
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { agentsFromObjects, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { agentAuth, permit } from '@countersign/node-http';
import { jwkThumbprint, nativeSigningKey, signMessage } from '@countersign/signature';

const ROUNDS = 3;
const REQUESTS = 100;
const HOST = '127.0.0.1';
const ORIGIN = `http://${HOST}`;
const ISSUER = 'https://id.acme.dev';
const OUR_TAG = 'countersign';
/** The tolerance of the comparison: noise of the measurement. */
const NOISE = 1.1;
const ACCEPTED = 'accepted';
const WITH_TOKEN = 'accepted, with a new token';
const OURS = [ACCEPTED, WITH_TOKEN];

const base64url = (value) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const times = (count, make) => Array.from({ length: count }, (_, at) => make(at));
const plain = '"@method" "@authority" "@path" "@query"';
const withToken = `${plain} "authorization"`;

const [role, ...given] = process.argv.slice(2);
if (role === 'serve') await serve(...given);
else await measureAll();

async function serve(protocol, traffic, x, issuerX) {
  const guard = await createGuard({
    origin: ORIGIN,
    agents: agentsFromObjects([
      { id: 'agent-1', jwk: { kty: 'OKP', crv: 'Ed25519', x }, capabilities: ['record:read'] },
    ]),
    issuers: [{ issuer: ISSUER, jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: issuerX, kid: 'k' }] } }],
    policy: await cedarFromText({
      policies: `permit(principal == Agent::"agent-1", action == Action::"record.read", resource);`,
    }),
    audit: memoryAudit(),
    dpop: true,
    webBotAuth: true,
    trustedProxies: [HOST],
    traffic,
  });
  const auth = agentAuth(guard);
  const mayRead = permit('record.read', () => ({ type: 'Record', id: '1' }), { agentsOnly: true });
  const answer = async (request, response) => {
    if ((await auth(request, response)) && (await mayRead(request, response))) response.writeHead(204).end();
  };
  const server = protocol === 'HTTP/2' ? createHttp2Server(answer) : createServer(answer);
  server.listen(0, HOST);
  await once(server, 'listening');
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send(user + system);
  });
  process.on('disconnect', () => process.exit());
  process.send(server.address().port);
}

/** A signature over nothing, with these covered components and this keyid. */
function claims(list, keyId, tag = OUR_TAG, more = '') {
  const now = Math.floor(Date.now() / 1000);
  const parameters = `;created=${now};expires=${now + 30};nonce="0123456789abcdef";keyid="${keyId}";tag="${tag}"${more}`;
  return [
    ['signature-input', `sig=(${list})${parameters}`],
    ['signature', `sig=:${Buffer.alloc(64).toString('base64')}:`],
  ];
}

/** A valid DPoP proof with the sender's own key. */
function proof(target, token) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { kty, crv, x } = publicKey.export({ format: 'jwk' });
  const header = base64url({ typ: 'dpop+jwt', alg: 'EdDSA', jwk: { kty, crv, x } });
  const ath = createHash('sha256').update(token).digest('base64url');
  const htu = `${ORIGIN}${target}`;
  const payload = base64url({ jti: randomUUID(), htm: 'GET', htu, iat: Math.floor(Date.now() / 1000), ath });
  return `${header}.${payload}.${sign(null, Buffer.from(`${header}.${payload}`), privateKey).toString('base64url')}`;
}

function token(payload, alg = 'EdDSA') {
  return `${base64url({ typ: 'at+jwt', alg, kid: 'k' })}.${base64url(payload)}.${Buffer.alloc(64).toString('base64url')}`;
}

/** The same shapes, each with a name behind its title. */
function prefixed(name, group) {
  return Object.fromEntries(Object.entries(group).map(([title, shape]) => [`${title}, ${name}`, shape]));
}

function member(at) {
  return `"x";key="k${at.toString(36)}"`;
}

/** A cookie that is searched most often: with the first chunks of its name, with the last, and with all of them. */
function inEverySpelling(value) {
  const chunks = ['0', '.0', '-0', '_0'].flatMap((chunk) => ['b', 'c'].map((part) => `a${chunk}=${part}`));
  return `a=${value};${chunks.join(';')}`;
}

/** Chunks of one value that can be joined in ten ways: with gaps, zeros before numbers, and equal names. */
function withDecoys() {
  const numbers = times(120, (at) => `c${at % 2 === 0 ? '0' : ''}${at + (at > 100 ? 7 : 0)}`);
  return ['c', 'c0', ...numbers, ...numbers].map((name) => `${name}=${'V'.repeat(40)}`).join(';');
}

/** Two layers of base64, the inner one with characters that decoders skip. */
function nestedAndCut(text) {
  return base64url({ a: base64url({ a: text }).replaceAll(/.{7}/g, '$&!') });
}

/** The requests of strangers: target and fields without Host. The sender knows the id of a known key, but does not hold it. */
function shapes(known, mixed) {
  const unknown = base64url(Buffer.alloc(32, 7));
  const members = times(2200, (at) => `k${at.toString(36)}`).join(',');
  const escapes = '\\"'.repeat(6500);
  const path = `/${'%7e'.repeat(850)}`;
  const claim = { iss: ISSUER, sub: 'u', aud: ORIGIN, exp: 4_000_000_000 };
  const signedBy = (keyId) => ({
    'a broken signature': { fields: claims(plain, keyId) },
    '60 members of one long dictionary': {
      fields: [['x', members], ...claims(`${plain} ${times(60, member).join(' ')}`, keyId)],
    },
    '60 members of a dictionary of 250': {
      fields: [['x', members.split(',', 250).join(',')], ...claims(`${plain} ${times(60, member).join(' ')}`, keyId)],
    },
    'a dictionary of one long string': { fields: [['x', `k="${escapes}"`], ...claims(`${plain} "x";key="k"`, keyId)] },
    '60 fields of 200 characters': {
      fields: [
        ...times(60, (at) => [`x${at}`, 'v'.repeat(200)]),
        ...claims(times(60, (at) => `"x${at}"`).join(' ') + ` ${plain}`.replace(' "@query"', ' "@query"'), keyId),
      ],
    },
    'many query parameters': {
      target: `/?${'a&'.repeat(6500)}`,
      fields: claims(`${plain} "@query-param";name="a"`, keyId),
    },
    'a query parameter full of escapes': {
      target: `/?a=${'!'.repeat(13_000)}`,
      fields: claims(`${plain} "@query-param";name="a"`, keyId),
    },
    'a query parameter in percent-encoding': {
      target: `/?a=${'%e4%b8%ad'.repeat(1400)}`,
      fields: claims(`${plain} "@query-param";name="a"`, keyId),
    },
  });
  return {
    'no signature': { fields: [] },
    ...prefixed('unknown key', signedBy(unknown)),
    ...prefixed("another's key", signedBy(known)),
    '50 components with 60 parameters each': {
      fields: claims(times(50, (at) => `"x${at}"${times(60, (index) => `;a${index}`).join('')}`).join(' '), unknown),
    },
    'parameters without end': { fields: claims(`"x"${times(3000, (at) => `;k${at.toString(36)}`).join('')}`, unknown) },
    'signatures without end': {
      fields: [
        ['signature-input', `${times(3000, (at) => `k${at.toString(36)}`).join(',')},sig=();tag="${OUR_TAG}"`],
        ['signature', 'a=::'],
      ],
    },
    'a nonce full of escapes': { fields: claims(plain, unknown, OUR_TAG, `;x="${escapes}"`) },
    'a long keyid': { fields: claims(plain, 'k'.repeat(14_000)) },
    '100 short fields': { fields: [...times(100, () => ['a', '']), ...claims(plain, unknown)] },
    'a token of dots': { fields: [['authorization', `Bearer ${'.'.repeat(14_000)}`], ...claims(withToken, unknown)] },
    'a token of brackets': {
      fields: [['authorization', `Bearer ${token(`{"a":[${'[],'.repeat(3300)}[]]}`)}`], ...claims(withToken, unknown)],
    },
    'a token of members': {
      fields: [
        ['authorization', `Bearer ${token(`{${times(1200, (at) => `"${at.toString(36)}":1`).join(',')}}`)}`],
        ...claims(withToken, unknown),
      ],
    },
    'a forged token of our issuer': {
      fields: [['authorization', `Bearer ${token(claim)}`], ...claims(withToken, unknown)],
    },
    'a forged, long token of our issuer': {
      fields: [
        ['authorization', `Bearer ${token({ ...claim, x: times(1200, (at) => at) })}`],
        ...claims(withToken, known),
      ],
    },
    'a DPoP proof of its own': {
      target: '/',
      fields: [
        ['authorization', `DPoP ${token(claim)}`],
        ['dpop', proof('/', token(claim))],
      ],
    },
    'a DPoP proof of a long path': {
      target: path,
      fields: [
        ['authorization', `DPoP ${token(claim)}`],
        ['dpop', proof(path, token(claim))],
      ],
    },
    'a DPoP proof of a short path, on a long one': {
      target: `/${'%7e'.repeat(4000)}`,
      fields: [
        ['authorization', `DPoP ${token(claim)}`],
        ['dpop', proof('/', token(claim))],
      ],
    },
    'Web Bot Auth, a long Signature-Agent': {
      fields: [
        ['signature-agent', members],
        ...claims('"@authority" "signature-agent";key="k0"', known, 'web-bot-auth'),
      ],
    },
    'a long host': { host: 'h'.repeat(9000), fields: claims(plain, unknown) },
    'a long path': { target: `/${'p'.repeat(13_000)}`, fields: claims(plain, unknown) },
    'our own proxies without end': { fields: [['x-forwarded-for', `${HOST},`.repeat(1300)]] },
    'proxies that are none': { fields: [['x-forwarded-for', ','.repeat(13_000)]] },
    ...(mixed && {
      'mixed: commas': { fields: [['x', 'a,'.repeat(6500)]] },
      'mixed: short words': { fields: [['x', 'abcdefghijklmnop,'.repeat(780)]] },
      'mixed: one long word': { fields: [['x', 'a'.repeat(13_000)]] },
      'mixed: JSON in base64': { fields: [['x', `${base64url({ a: 'b' })},`.repeat(25)]] },
      'mixed: long JSON in base64': { fields: [['x', base64url(`{"a":[${'[],'.repeat(3200)}[]]}`)]] },
      'mixed: what looks like JSON, in base64': { fields: [['x', `${base64url('{aaaaaaa}')},`.repeat(64)]] },
      'mixed: percent-encoding': { fields: [['x', '%2525'.repeat(2600)]] },
      'mixed: escapes of JSON': { fields: [['x', '\\u0061'.repeat(2200)]] },
      'mixed: cookies': { fields: [['cookie', 'a=b;'.repeat(3300)]] },
      'mixed: a cookie of digits': { fields: [['cookie', `${'1'.repeat(13_000)}=b`]] },
      'mixed: chunked cookies': { fields: [['cookie', times(1300, (at) => `a.${at % 1000}=b`).join(';')]] },
      'mixed: a cookie in every spelling': { fields: [['cookie', inEverySpelling('V'.repeat(12_800))]] },
      'mixed: escapes in a cookie in every spelling': {
        fields: [['cookie', inEverySpelling(base64url('%25'.repeat(3200)))]],
      },
      'mixed: commas in a cookie in every spelling': { fields: [['cookie', inEverySpelling('a,'.repeat(6400))]] },
      'mixed: words in a cookie in every spelling': {
        fields: [['cookie', inEverySpelling('abcdefghijkl,'.repeat(985))]],
      },
      'mixed: 24 chunked cookies': {
        fields: [['cookie', times(256, (at) => `c${at < 48 ? at % 24 : at}x.${at % 2}=${'x'.repeat(40)}`).join(';')]],
      },
      'mixed: numbered cookies with decoys': { fields: [['cookie', withDecoys()]] },
      'mixed: 200 cookies with the digits 0 and 1': {
        fields: [['cookie', times(200, (at) => `${(at + 8).toString(2)}=${'x'.repeat(40)}`).join(';')]],
      },
      'mixed: JSON in cut base64 in JSON': { fields: [['cookie', inEverySpelling(nestedAndCut('a,'.repeat(3200)))]] },
      'mixed: 200 fields in every reading': {
        fields: times(200, (at) => [`x${at}`, `a${at}${'%C4%80%2541\\n'.repeat(3)}`]),
      },
      'mixed: many readings of one field': { fields: [['x', 'JTI1%2541.%41'.repeat(1000)]] },
      'mixed: Basic': { fields: [['authorization', `Basic ${base64url('a,'.repeat(4800))}`]] },
    }),
  };
}

async function accepted(key, authorization) {
  const sent = authorization === undefined ? [] : [['authorization', authorization]];
  const components = ['@method', '@authority', '@path', '@query', ...sent.map(([name]) => name)];
  const rawFields = ['Host', HOST, ...sent.flat()];
  const message = { method: 'GET', target: '/', scheme: 'http', authority: HOST, rawFields };
  const parameters = { created: Math.floor(Date.now() / 1000), nonce: randomUUID(), tag: OUR_TAG };
  const { signatureInput, signature } = await signMessage(message, { key, components, parameters });
  return {
    fields: [...sent, ['signature-input', signatureInput], ['signature', signature]],
  };
}

/** A token that the guard has not seen, with which the agent acts for a user. */
function newToken(issuerKey) {
  const now = Math.floor(Date.now() / 1000);
  const who = { iss: ISSUER, sub: 'user-1', aud: ORIGIN, act: { sub: 'agent-1' }, client_id: 'bench' };
  const payload = { ...who, scope: 'record:read', iat: now, exp: now + 60, jti: randomUUID() };
  const text = token(payload).split('.').slice(0, 2).join('.');
  return `Bearer ${text}.${sign(null, Buffer.from(text), issuerKey).toString('base64url')}`;
}

async function measureAll() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { x } = publicKey.export({ format: 'jwk' });
  const issuer = generateKeyPairSync('ed25519');
  const issuerX = issuer.publicKey.export({ format: 'jwk' }).x;
  const known = jwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x });
  const key = nativeSigningKey(privateKey, { keyId: known });
  let most = 0;
  for (const protocol of ['HTTP/1', 'HTTP/2']) {
    for (const traffic of ['agents', 'mixed']) {
      const child = fork(fileURLToPath(import.meta.url), ['serve', protocol, traffic, x, issuerX]);
      const [port] = await once(child, 'message');
      const client = protocol === 'HTTP/2' ? await http2Client(port) : await http1Client(port);
      most = Math.max(
        most,
        await measure(`${protocol}, ${traffic}`, {
          child,
          client,
          key,
          issuerKey: issuer.privateKey,
          known,
          mixed: traffic === 'mixed',
        }),
      );
      client.close();
      child.disconnect();
      await once(child, 'exit');
    }
  }
  console.log(`\nThe dearest refused request costs ${most.toFixed(2)} of an accepted one with a new token.`);
  if (most > NOISE) process.exitCode = 1;
}

async function measure(title, { child, client, key, issuerKey, known, mixed }) {
  const rows = new Map();
  for (let round = 0; round <= ROUNDS; round += 1) {
    const all = [
      [ACCEPTED, await Promise.all(times(REQUESTS, () => accepted(key)))],
      [WITH_TOKEN, await Promise.all(times(REQUESTS, () => accepted(key, newToken(issuerKey))))],
      ...Object.entries(shapes(known, mixed)).map(([name, shape]) => [name, times(REQUESTS, () => shape)]),
    ];
    for (const [name, requests] of all) {
      const before = await cpuOf(child);
      const statuses = new Set();
      for (const request of requests) statuses.add(await client.send(request));
      const micros = ((await cpuOf(child)) - before) / REQUESTS;
      // The first round warms up.
      if (round > 0) rows.set(name, { micros: Math.min(micros, rows.get(name)?.micros ?? Infinity), statuses });
    }
  }
  const base = Math.max(...OURS.map((name) => rows.get(name).micros));
  console.log(`\n${title}: CPU of the server, best of ${ROUNDS}`);
  const sorted = [...rows].toSorted(([, one], [, other]) => other.micros - one.micros);
  console.table(
    sorted.map(([request, { micros, statuses }]) => ({
      request,
      status: [...statuses].join(' '),
      'CPU µs/request': Math.round(micros),
      'to accepted': (micros / base).toFixed(2),
    })),
  );
  return Math.max(...[...rows].filter(([name]) => !OURS.includes(name)).map(([, { micros }]) => micros / base));
}

async function cpuOf(child) {
  child.send('cpu');
  const [micros] = await once(child, 'message');
  return micros;
}

async function http1Client(port) {
  const socket = connect({ host: HOST, port, noDelay: true }).setEncoding('latin1');
  await once(socket, 'connect');
  return {
    async send({ target = '/', host = HOST, fields }) {
      const lines = [`GET ${target} HTTP/1.1`, `Host: ${host}`, ...fields.map(([name, value]) => `${name}: ${value}`)];
      socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
      let answer = '';
      while (!isWhole(answer)) answer += (await once(socket, 'data'))[0];
      return answer.slice(9, 12);
    },
    close: () => socket.destroy(),
  };
}

function isWhole(answer) {
  const end = answer.indexOf('\r\n\r\n');
  if (end === -1) return false;
  return answer.length >= end + 4 + Number(/content-length: (\d+)/i.exec(answer)?.[1] ?? 0);
}

async function http2Client(port) {
  const session = connectHttp2(`http://${HOST}:${port}`);
  await once(session, 'connect');
  return {
    async send({ target = '/', host = HOST, fields }) {
      const headers = { ':method': 'GET', ':path': target, ':authority': host };
      for (const [name, value] of fields)
        headers[name] = headers[name] === undefined ? value : [headers[name], value].flat();
      const stream = session.request(headers);
      const [answer] = await once(stream, 'response');
      stream.resume();
      if (!stream.closed) await once(stream, 'close');
      return String(answer[':status']);
    },
    close: () => session.close(),
  };
}
