import { generateKeyPairSync, sign as nativeSign, verify as nativeVerify } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  computeContentDigest,
  jwkThumbprint,
  nativeSigningKey,
  type RequestMessage,
  requireComponents,
  signMessage,
  verificationKey,
  type VerificationPolicy,
  verifyMessage,
} from '@countersign/signature';
import * as cloudflare from 'http-message-sig';
import { createSigner, createVerifier, httpbis } from 'http-message-signatures';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import * as webBotAuth from 'web-bot-auth';
import { signerFromJWK, verifierFromJWK } from 'web-bot-auth/crypto';
import { exchange, type Listening, listen, received } from './server.js';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const privateJwk = privateKey.export({ format: 'jwk' });
const publicJwk = publicKey.export({ format: 'jwk' });
const keyid = jwkThumbprint(publicJwk);
const key = nativeSigningKey(privateKey, { keyId: keyid });

const TARGET = '/repos/acme%2Fapi/pulls?draft=true&q=a+b';
const BODY = '{"title":"Fix"}';
const COMPONENTS = ['@method', '@authority', '@path', '@query', 'content-type', 'content-digest'];
const HEADERS = { 'content-type': 'application/json', 'content-digest': computeContentDigest(Buffer.from(BODY)) };
const now = (): number => Math.floor(Date.now() / 1000);

/** Each way a request can be signed: the headers to add to it. */
type Sign = (authority: string) => Promise<Record<string, string>>;
/** Each way a request can be verified on the server: true or false, no exception. */
type Verify = (request: IncomingMessage) => Promise<boolean>;

const ourPolicy: VerificationPolicy = {
  select: { tag: 'interop' },
  components: requireComponents({ all: COMPONENTS }),
  parameters: ['created', 'keyid', 'nonce', 'tag'],
  algorithms: ['ed25519'],
  now: now(),
  maxAgeSeconds: 300,
  clockSkewSeconds: 60,
  resolveKey: ({ parameters }) => (parameters.keyid === keyid ? verificationKey(publicKey) : { problem: 'unknown' }),
};

const ours: Verify = async (request) => (await verifyMessage(received(request), ourPolicy)).ok;

const signOurs: Sign = async (authority) => {
  const rawFields = Object.entries(HEADERS).flat();
  const message: RequestMessage = { method: 'POST', scheme: 'http', authority, target: TARGET, rawFields };
  const { signatureInput, signature } = await signMessage(message, {
    key,
    components: COMPONENTS,
    parameters: { created: now(), expires: now() + 60, nonce: 'n-1', keyid, alg: 'ed25519', tag: 'interop' },
  });
  return { 'signature-input': signatureInput, signature };
};

const signers: Record<string, Sign> = {
  '@countersign/signature': signOurs,
  'http-message-signatures': async (authority) => {
    const signed = await httpbis.signMessage(
      {
        key: createSigner(privateKey, 'ed25519', keyid),
        fields: COMPONENTS,
        params: ['created', 'expires', 'keyid', 'alg', 'nonce', 'tag'],
        paramValues: { nonce: 'n-1', tag: 'interop' },
      },
      { method: 'POST', url: `http://${authority}${TARGET}`, headers: { ...HEADERS } },
    );
    return pick(signed.headers);
  },
  'http-message-sig': async (authority) => {
    const { signatureInput, signature } = await cloudflare.createSignature(
      descriptor(authority, 'POST', TARGET, HEADERS),
      {
        components: COMPONENTS,
        parameters: { created: now(), expires: now() + 60, keyid, nonce: 'n-1', tag: 'interop' },
        signer: { algorithm: 'ed25519', sign: (data) => nativeSign(null, data, privateKey) },
      },
    );
    return { 'signature-input': signatureInput, signature };
  },
};

const verifiers: Record<string, Verify> = {
  '@countersign/signature': ours,
  'http-message-signatures': async (request) => {
    const { method = '', url = '', headers } = request;
    const verdict = await httpbis.verifyMessage(
      {
        keyLookup: async () => ({ id: keyid, algs: ['ed25519'], verify: createVerifier(publicKey, 'ed25519') }),
        requiredFields: COMPONENTS,
      },
      { method, url: `http://${headers.host}${url}`, headers: headers as Record<string, string> },
    );
    return verdict === true;
  },
  'http-message-sig': async (request) => {
    const { method = '', url = '', headers } = request;
    const message = descriptor(headers.host ?? '', method, url, headers as Record<string, string>);
    const verified = cloudflare.verifySignature(message, {
      policy: {
        algorithms: ['ed25519'],
        requiredComponents: COMPONENTS,
        requiredParameters: ['created', 'keyid'],
        maxAge: 300,
      },
      resolveVerifier: () => ({
        algorithm: 'ed25519',
        verify: (data, signature) => nativeVerify(null, data, publicKey, signature),
      }),
    });
    return verified.then(
      () => true,
      () => false,
    );
  },
};

function descriptor(authority: string, method: string, target: string, headers: Readonly<Record<string, string>>) {
  const fields = Object.entries(headers).map(([name, value]) => ({ name, value }));
  return { kind: 'request', method, targetUri: `http://${authority}${target}`, requestTarget: target, fields } as const;
}

function pick(headers: Record<string, string | string[]>): Record<string, string> {
  const wanted = Object.entries(headers).filter(([name]) => name.toLowerCase().startsWith('signature'));
  return Object.fromEntries(wanted.map(([name, value]) => [name.toLowerCase(), String(value)]));
}

describe('signed requests over a socket', () => {
  let verify: Verify;
  let server: Listening;

  beforeEach(async () => {
    server = await listen((request, response) => {
      request.resume();
      verify(request).then(
        (ok) => response.writeHead(ok ? 200 : 401).end(),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    });
  });
  afterEach(() => server.close());

  const pairs = Object.keys(signers)
    .flatMap((signer) => Object.keys(verifiers).map((verifier) => ({ signer, verifier })))
    .filter(({ signer, verifier }) => [signer, verifier].includes('@countersign/signature'));

  it.each(pairs)('signed by $signer, verified by $verifier', async ({ signer, verifier }) => {
    verify = verifiers[verifier] ?? ours;
    const headers = { ...HEADERS, ...(await (signers[signer] ?? signOurs)(server.authority)) };
    const answer = await exchange(server.authority, { method: 'POST', target: TARGET, headers, body: BODY });
    expect(answer).toMatchObject({ status: 200, text: '' });
    const other = await exchange(server.authority, {
      method: 'POST',
      target: `${TARGET}&admin=1`,
      headers,
      body: BODY,
    });
    expect(other.status).toBe(401);
  });

  it('signed by web-bot-auth, verified by @countersign/signature', async () => {
    verify = async (request) => {
      const result = await verifyMessage(received(request), {
        ...ourPolicy,
        select: { tag: 'web-bot-auth' },
        components: requireComponents({ all: ['@authority'], ifPresent: ['signature-agent'] }),
        parameters: ['created', 'expires', 'keyid', 'tag'],
      });
      return result.ok;
    };
    const agent = { 'signature-agent': '"https://agent.example"' };
    const signed = await webBotAuth.signatureHeaders(
      { method: 'GET', url: `http://${server.authority}/page`, headers: agent },
      await signerFromJWK(privateJwk),
      { created: new Date(), expires: new Date(Date.now() + 60_000) },
    );
    const headers = { ...agent, 'signature-input': signed['Signature-Input'], signature: signed.Signature };
    expect(await exchange(server.authority, { method: 'GET', target: '/page', headers })).toMatchObject({
      status: 200,
    });
    const moved = { ...headers, 'signature-agent': '"https://other.example"' };
    expect(await exchange(server.authority, { method: 'GET', target: '/page', headers: moved })).toMatchObject({
      status: 401,
    });
  });

  it('signed by @countersign/signature, verified by web-bot-auth', async () => {
    const check = await verifierFromJWK(publicJwk);
    verify = async ({ method = '', url = '', headers }) => {
      const message = { method, url: `http://${headers.host}${url}`, headers: headers as Record<string, string> };
      return webBotAuth.verify(message, check).then(
        () => true,
        () => false,
      );
    };
    const agent = { 'signature-agent': '"https://agent.example"' };
    const { signatureInput, signature } = await signMessage(
      {
        method: 'GET',
        scheme: 'http',
        authority: server.authority,
        target: '/page',
        rawFields: Object.entries(agent).flat(),
      },
      {
        key,
        components: ['@authority', 'signature-agent'],
        parameters: {
          created: now(),
          keyid,
          alg: 'ed25519',
          expires: now() + 60,
          nonce: webBotAuth.generateNonce(),
          tag: 'web-bot-auth',
        },
      },
    );
    const headers = { ...agent, 'signature-input': signatureInput, signature };
    expect(await exchange(server.authority, { method: 'GET', target: '/page', headers })).toMatchObject({
      status: 200,
    });
    const moved = { ...headers, 'signature-agent': '"https://other.example"' };
    expect(await exchange(server.authority, { method: 'GET', target: '/page', headers: moved })).toMatchObject({
      status: 401,
    });
  });
});

describe('signed responses over a socket', () => {
  it('signed by @countersign/signature and bound to their request, verified by http-message-sig and by ourselves', async () => {
    const components = ['@status', 'content-digest', '"@method";req', '"@authority";req', '"@path";req'];
    const digest = computeContentDigest(Buffer.from('done'));
    const server = await listen((request, response) => {
      const message = { status: 202, rawFields: ['content-digest', digest], request: received(request) };
      const parameters = { created: now(), nonce: 'n-2', keyid, tag: 'interop' };
      signMessage(message, { key, components, parameters }).then(
        ({ signatureInput, signature }) => {
          response
            .writeHead(202, { 'content-digest': digest, 'signature-input': signatureInput, signature })
            .end('done');
        },
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    });
    onTestFinished(() => server.close());
    const { status, rawFields } = await exchange(server.authority, { method: 'GET', target: '/a?b', headers: {} });
    const request = {
      method: 'GET',
      scheme: 'http',
      authority: server.authority,
      target: '/a?b',
      rawFields: [],
    } as const;

    const policy = { ...ourPolicy, components: requireComponents({ all: components }) };
    expect(await verifyMessage({ status, rawFields, request }, policy)).toMatchObject({ ok: true });
    const otherRequest = { ...request, target: '/b' };
    expect(await verifyMessage({ status, rawFields, request: otherRequest }, policy)).toMatchObject({
      code: 'invalid',
    });

    const fields = Array.from({ length: rawFields.length / 2 }, (_, at) => ({
      name: rawFields[2 * at] ?? '',
      value: rawFields[2 * at + 1] ?? '',
    }));
    const verified = await cloudflare.verifySignature(
      { kind: 'response', status, fields, request: descriptor(server.authority, 'GET', '/a?b', {}) },
      {
        policy: { algorithms: ['ed25519'], requiredComponents: ['@status'], requiredParameters: ['created'] },
        resolveVerifier: () => ({
          algorithm: 'ed25519',
          verify: (data, signature) => nativeVerify(null, data, publicKey, signature),
        }),
      },
    );
    expect(verified.components).toHaveLength(components.length);
  });
});
