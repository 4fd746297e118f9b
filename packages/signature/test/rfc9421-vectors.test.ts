import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  createSignatureBase,
  type Message,
  nativeSigningKey,
  parseAcceptSignature,
  parseSignatureInput,
  type RequestMessage,
  requireComponents,
  type ResponseMessage,
  type SignatureAlgorithm,
  type SignatureParameters,
  signMessage,
  verificationKey,
  type VerificationPolicy,
  verifyMessage,
} from '../src/index.js';
import { parseRequest, parseResponse, withFields } from './support/messages.js';
import { describeVectors } from './support/vectors.js';

interface PrintedMessage {
  readonly headers: readonly (readonly [string, string])[];
  readonly method: string;
  readonly target: string;
  readonly status?: number;
}

interface Case {
  readonly id: string;
  readonly title: string;
  readonly alg: SignatureAlgorithm;
  readonly keyid: string;
  readonly message: 'request' | 'response';
  readonly signatureBase: string;
  readonly signatureInput: string;
  readonly signature: string;
}

interface AppendixB {
  readonly keys: Readonly<
    Record<string, { readonly publicKeyPem: string; readonly privateKeyPem: string; readonly secretBase64?: string }>
  >;
  readonly testRequest: PrintedMessage;
  readonly testResponse: PrintedMessage;
  readonly cases: readonly Case[];
  readonly tlsTerminatingProxy: {
    readonly signedRequest: PrintedMessage;
    readonly signatureBase: string;
    readonly keyid: string;
  };
  readonly transformations: {
    readonly keyid: string;
    readonly signatureBase: string;
    readonly variants: readonly {
      readonly n: number;
      readonly expectValid: boolean;
      readonly message: PrintedMessage;
    }[];
  };
}

interface SignedExample {
  readonly section: string;
  readonly request?: string;
  readonly signedRequest?: string;
  readonly signedResponse?: string;
  readonly signatureBase: string;
  readonly label: string;
  readonly alg: SignatureAlgorithm;
  readonly keyid: string;
}

interface BodyExamples {
  readonly components: readonly {
    readonly section: string;
    readonly message: string;
    readonly expectedLines: readonly string[];
    readonly note?: string;
    readonly wrong?: boolean;
  }[];
  readonly signed: readonly SignedExample[];
  readonly acceptSignature: string;
}

/** RSA and ECDSA signatures are random; these two are not, so signing must give the printed value. */
const DETERMINISTIC: readonly SignatureAlgorithm[] = ['ed25519', 'hmac-sha256', 'rsa-v1_5-sha256'];

describeVectors('RFC 9421 Appendix B', 'rfc9421/', (vectors) => {
  const appendix = vectors.json('appendix-b.json') as AppendixB;
  const messages = { request: toMessage(appendix.testRequest), response: toMessage(appendix.testResponse) };

  for (const test of appendix.cases) {
    const message = withFields(
      messages[test.message],
      'Signature-Input',
      test.signatureInput,
      'Signature',
      test.signature,
    );
    it(`${test.id} ${test.title}: the base and the verdict`, async () => {
      expect(baseOf(message, test.signatureInput)).toBe(test.signatureBase);
      const label = test.signatureInput.slice(0, test.signatureInput.indexOf('='));
      expect(await verify(message, label, test.alg, appendix, test.keyid)).toMatchObject({ ok: true });
    });

    it(`${test.id}: our own signature`, async () => {
      const { components, parameters, label } = requested(test.signatureInput);
      const key = nativeSigningKey(privateKey(appendix, test.keyid), { keyId: test.keyid, algorithm: test.alg });
      const ours = await signMessage(messages[test.message], { key, components, parameters, label });
      expect(ours.signatureInput).toBe(test.signatureInput);
      expect(ours.signatureBase).toBe(test.signatureBase);
      if (DETERMINISTIC.includes(test.alg)) expect(ours.signature).toBe(test.signature);
      const again = withFields(
        messages[test.message],
        'Signature-Input',
        ours.signatureInput,
        'Signature',
        ours.signature,
      );
      expect(await verify(again, label, test.alg, appendix, test.keyid)).toMatchObject({ ok: true });
    });
  }

  it('B.3 TLS-terminating proxy', async () => {
    const { signedRequest, signatureBase, keyid } = appendix.tlsTerminatingProxy;
    const message = toMessage(signedRequest);
    const input = signedRequest.headers.find(([name]) => name === 'Signature-Input')?.[1] ?? '';
    expect(baseOf(message, input)).toBe(signatureBase);
    expect(await verify(message, 'ttrp', 'ecdsa-p256-sha256', appendix, keyid)).toMatchObject({ ok: true });
  });

  for (const { n, expectValid, message } of appendix.transformations.variants) {
    it(`B.4 transformation ${n} is ${expectValid ? 'valid' : 'invalid'}`, async () => {
      const verdict = await verify(
        toMessage(message),
        'transform',
        'ed25519',
        appendix,
        appendix.transformations.keyid,
      );
      expect(verdict).toMatchObject(expectValid ? { ok: true } : { ok: false, code: 'invalid' });
    });
  }
});

describeVectors('RFC 9421 examples in the text', 'rfc9421/', (vectors) => {
  const appendix = vectors.json('appendix-b.json') as AppendixB;
  const examples = vectors.json('body-examples.json') as BodyExamples;

  describe('component values', () => {
    for (const example of examples.components) {
      if (example.wrong === true) continue; // printed by the RFC to show what not to do; the right form is tested too
      it(`§${example.section} ${example.expectedLines[0] ?? ''}`, () => {
        const message = printed(example.message, example.note);
        for (const line of example.expectedLines) {
          const identifier = /^"[^"]*"(?:;[a-z]+(?:="[^"]*")?)*/.exec(line)?.[0] ?? '';
          const built = createSignatureBase(
            message,
            [identifier],
            {},
            { structuredFields: { 'example-dict': 'dictionary' } },
          );
          expect(built).toMatchObject({ ok: true, base: `${line}\n"@signature-params": (${identifier})` });
        }
      });
    }
  });

  describe('signed messages', () => {
    for (const example of examples.signed) {
      it(`§${example.section}`, async () => {
        const request = parseRequest(example.signedRequest ?? example.request ?? '');
        const message = example.signedResponse === undefined ? request : parseResponse(example.signedResponse, request);
        const verdict = await verify(message, example.label, example.alg, appendix, example.keyid);
        expect(verdict).toMatchObject({ ok: true });
        const { components, parameters } = requested(fieldOf(message, 'signature-input'), example.label);
        expect(createSignatureBase(message, components, parameters)).toMatchObject({ base: example.signatureBase });
      });
    }

    it('§4.3 the client signature no longer verifies behind the proxy that rewrote Host', async () => {
      const example = examples.signed.find(({ section }) => section === '4.3 proxy');
      const message = parseRequest(example?.signedRequest ?? '');
      const verdict = await verify(message, 'sig1', 'ecdsa-p256-sha256', appendix, 'test-key-ecc-p256');
      expect(verdict).toMatchObject({ ok: false, code: 'invalid' });
    });
  });

  it('§5.1 Accept-Signature', () => {
    const [, value = ''] = /^Accept-Signature: (.*)$/.exec(examples.acceptSignature) ?? [];
    const parsed = parseAcceptSignature(value);
    if (!parsed.ok) expect.fail(parsed.detail);
    expect(parsed.requests.get('sig1')).toEqual({
      components: ['"@method"', '"@target-uri"', '"@authority"', '"content-digest"', '"cache-control"'],
      parameters: { keyid: 'test-key-rsa-pss', created: true, tag: 'app-123' },
    });
  });
});

function toMessage(message: PrintedMessage): RequestMessage | ResponseMessage {
  const rawFields = message.headers.flat();
  if (message.status !== undefined) return { status: message.status, rawFields };
  const authority = message.headers.find(([name]) => name === 'Host')?.[1] ?? '';
  return { method: message.method, scheme: 'https', authority, target: message.target, rawFields };
}

function printed(text: string, note: string | undefined): Message {
  if (text.startsWith('HTTP/')) return parseResponse(text);
  if (text.startsWith('(')) return parseRequest('GET /path HTTP/1.1\nHost: www.example.com');
  return parseRequest(text, note === 'sent over plain http' ? 'http' : 'https');
}

function fieldOf(message: Message, name: string): string {
  const at = message.rawFields.findIndex((entry, index) => index % 2 === 0 && entry.toLowerCase() === name);
  return (message.rawFields[at + 1] ?? '').trim();
}

/** The components and parameters of a Signature-Input, in the form of our own API. */
function requested(signatureInput: string, wanted?: string) {
  const parsed = parseSignatureInput(signatureInput);
  if (!parsed.ok) return expect.fail(parsed.detail);
  const label = wanted ?? [...parsed.inputs.keys()][0] ?? '';
  const input = parsed.inputs.get(label);
  const parameters: SignatureParameters = Object.fromEntries(
    [...(input?.parameters ?? [])].map(([name, { value }]) => [name, value]),
  );
  return { label, components: (input?.covered ?? []).map(({ identifier }) => identifier), parameters };
}

function baseOf(message: Message, signatureInput: string): string {
  const { components, parameters } = requested(signatureInput);
  const built = createSignatureBase(message, components, parameters);
  return built.ok ? built.base : expect.fail(built.detail);
}

function privateKey(appendix: AppendixB, keyid: string): KeyObject {
  const { privateKeyPem, secretBase64 } = appendix.keys[keyid] ?? expect.fail(keyid);
  return secretBase64 === undefined ? createPrivateKey(privateKeyPem) : createSecretKey(secretBase64, 'base64');
}

function publicKey(appendix: AppendixB, keyid: string): KeyObject {
  const { publicKeyPem, secretBase64 } = appendix.keys[keyid] ?? expect.fail(keyid);
  return secretBase64 === undefined ? createPublicKey(publicKeyPem) : createSecretKey(secretBase64, 'base64');
}

function verify(message: Message, label: string, algorithm: SignatureAlgorithm, appendix: AppendixB, keyid: string) {
  const policy: VerificationPolicy = {
    select: { label },
    components: requireComponents({}),
    parameters: ['created', 'keyid'],
    algorithms: [algorithm],
    now: 1618884474,
    maxAgeSeconds: 60,
    clockSkewSeconds: 10,
    resolveKey: () => verificationKey(publicKey(appendix, keyid), { algorithm }),
  };
  return verifyMessage(message, policy);
}
