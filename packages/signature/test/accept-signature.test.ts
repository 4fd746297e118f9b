import { describe, expect, it } from 'vitest';
import {
  formatAcceptSignature,
  parseAcceptSignature,
  type RequestedParameters,
  SignatureError,
  signMessage,
} from '../src/index.js';
import { request, signer } from './support/messages.js';

const requests = {
  sig: {
    components: ['@method', '"@query-param";name="a b"', 'content-digest;sf'],
    parameters: { created: true, expires: true, nonce: 'n', alg: 'ed25519', keyid: 'k', tag: 't"\\' },
  },
  other: { components: [], parameters: {} },
} as const;

describe('Accept-Signature (RFC 9421 §5)', () => {
  it('is written and read', () => {
    const value = formatAcceptSignature(requests);
    expect(value).toBe(
      'sig=("@method" "@query-param";name="a b" "content-digest";sf);created;expires;nonce="n";alg="ed25519";keyid="k";tag="t\\"\\\\", other=()',
    );
    const parsed = parseAcceptSignature(value);
    if (!parsed.ok) expect.fail(parsed.detail);
    expect([...parsed.requests.keys()]).toEqual(['sig', 'other']);
    expect(parsed.requests.get('sig')?.parameters).toEqual(requests.sig.parameters);
    expect(formatAcceptSignature(Object.fromEntries(parsed.requests))).toBe(value);
  });

  it('requests components that signMessage accepts unchanged', async () => {
    const parsed = parseAcceptSignature('sig=("@method" "content-digest";key="sha-256")');
    const components = parsed.ok ? (parsed.requests.get('sig')?.components ?? []) : expect.fail(parsed.detail);
    const { signatureInput } = await signMessage(request(), { key: signer, components });
    expect(signatureInput).toBe('sig=("@method" "content-digest";key="sha-256");keyid="key-1"');
  });

  it.each(['sig=();created=1', 'sig=();nonce', 'sig=();tag=x', 'sig', 'sig=(x)', 'sig=(),', 'sig=();tag="a";tag="b"'])(
    'refuses %j',
    (value) => {
      expect(parseAcceptSignature(value)).toMatchObject({ ok: false, code: 'malformed' });
    },
  );

  it('ignores unknown parameters, and refuses a repeated label', () => {
    expect(parseAcceptSignature('sig=();future=1')).toMatchObject({ ok: true });
    expect(parseAcceptSignature('sig=(), sig=()')).toMatchObject({ ok: false, code: 'ambiguous' });
  });

  it('refuses to serialise invalid requests', () => {
    const parameters = { created: 1 } as unknown as RequestedParameters;
    expect(() => formatAcceptSignature({ sig: { components: [], parameters } })).toThrow(SignatureError);
    expect(() => formatAcceptSignature({ Sig: { components: [], parameters: {} } })).toThrow(SignatureError);
    expect(() => formatAcceptSignature({ sig: { components: [], parameters: { nonce: 'é' } } })).toThrow(
      SignatureError,
    );
  });
});
