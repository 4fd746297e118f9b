import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nativeSigningKey, type VerificationPolicy, verifyMessage } from '../src/index.js';
import { NOW, PARAMETERS, policy, request, rewrite, signed, TAG, withFields, without } from './support/messages.js';
import { codeOf, codeAt, outage, neverAsked, nothingRequired } from './support/verdicts.js';

describe('A7 several signatures', () => {
  it('A7 two signatures with our tag are refused, whichever is valid', async () => {
    const valid = await signed(request());
    for (const choice of [{ label: 'sig2' }, { label: 'a', components: ['@method'] }]) {
      expect(await codeOf(await signed(valid, choice))).toBe('ambiguous');
    }
  });

  it('A7 the one with our tag is verified, not the first', async () => {
    const other = await signed(request(), { label: 'proxy', parameters: { ...PARAMETERS, tag: 'proxy' } });
    expect(await codeOf(await signed(other))).toBe('ok');
    const broken = rewrite(await signed(other), 'signature', (value) => value.replace('sig=:', 'sig=:AAAA'));
    expect(await codeOf(broken)).not.toBe('ok');
  });

  it('A7 an attacker who prepends a signature with another tag and key gains nothing', async () => {
    const attacker = nativeSigningKey(generateKeyPairSync('ed25519').privateKey, { keyId: 'attacker' });
    const prepended = await signed(request(), { key: attacker, label: 'a', parameters: { ...PARAMETERS, tag: 'x' } });
    const result = await verifyMessage(await signed(prepended), policy());
    expect(result).toMatchObject({ ok: true, signature: { label: 'sig', parameters: { keyid: 'key-1' } } });
  });

  it('A7 a label twice is refused, in one line or in two', async () => {
    const message = await signed(request());
    const twice = rewrite(message, 'signature', (value) => `${value}, ${value}`);
    expect(await codeOf(twice)).toBe('ambiguous');
    expect(await codeOf(withFields(message, 'Signature', 'sig=:AAAA:'))).toBe('ambiguous');
    expect(await codeOf(withFields(message, 'Signature-Input', 'sig=()'))).toBe('ambiguous');
  });

  it('A7 a label in only one of the two fields is refused, also beside a valid signature', async () => {
    const message = await signed(request());
    expect(await codeOf(withFields(message, 'Signature', 'other=:AAAA:'))).toBe('ambiguous');
    expect(await codeOf(withFields(message, 'Signature-Input', 'other=();tag="x"'))).toBe('ambiguous');
    expect(await codeOf(without(message, 'signature'))).toBe('ambiguous');
    expect(await codeOf(without(message, 'signature-input'))).toBe('ambiguous');
  });
});

describe('A9 time', () => {
  it('A9 created in the future is refused beyond the skew', async () => {
    expect(await codeAt({}, NOW - 5)).toBe('ok');
    expect(await codeAt({}, NOW - 6)).toBe('not_yet_valid');
  });

  it('A9 expires ends it, with the skew', async () => {
    expect(await codeAt({ expires: NOW + 10 }, NOW + 14)).toBe('ok');
    expect(await codeAt({ expires: NOW + 10 }, NOW + 15)).toBe('expired');
  });

  it('A9 expires in 2100 is bounded by the age', async () => {
    expect(await codeAt({ expires: 4_102_444_800 }, NOW + 64)).toBe('ok');
    expect(await codeAt({ expires: 4_102_444_800 }, NOW + 65)).toBe('expired');
  });

  it('A9 no expires and an old created is refused', async () => {
    const { expires: _, ...parameters } = PARAMETERS;
    const message = await signed(request(), { parameters });
    expect(await codeOf(message, { now: NOW + 64 })).toBe('ok');
    expect(await codeOf(message, { now: NOW + 65 })).toBe('expired');
  });

  it('A9 validUntil is exactly the first moment of refusal', async () => {
    const message = await signed(request(), { parameters: { ...PARAMETERS, expires: NOW + 30 } });
    const result = await verifyMessage(message, policy());
    const until = result.ok ? result.signature.validUntil : expect.fail(result.detail);
    expect(await codeOf(message, { now: until - 0.001 })).toBe('ok');
    expect(await codeOf(message, { now: until })).toBe('expired');
  });

  it.each([
    ['missing', 'nonce="n";keyid="key-1"', 'parameter_missing'],
    ['a string', `created="${NOW}"`, 'parameter_malformed'],
    ['negative', 'created=-1', 'parameter_malformed'],
    ['a decimal', `created=${NOW}.0`, 'parameter_malformed'],
    ['a date', `created=@${NOW}`, 'parameter_malformed'],
    ['more than 15 digits', 'created=1700000000000000', 'malformed'],
    ['a flag', 'created', 'parameter_malformed'],
    ['after expires', `created=${NOW};expires=${NOW - 1}`, 'parameter_malformed'],
    ['equal to expires', `created=${NOW};expires=${NOW}`, 'parameter_malformed'],
    ['twice', `created=${NOW};created=${NOW + 1}`, 'malformed'],
    ['good, but expires is a string', `created=${NOW};expires="x"`, 'parameter_malformed'],
  ])('A9 created %s is refused', async (_, parameters, code) => {
    const input = `sig=("@method" "@target-uri" "authorization" "content-digest" "content-type");${parameters};tag="${TAG}"`;
    const message = withFields(request(), 'Signature-Input', input, 'Signature', 'sig=:AAAA:');
    expect(await codeOf(message)).toBe(code);
  });

  it('A9 without created there is no age, unless the policy asks for none', async () => {
    const { created: _, ...parameters } = PARAMETERS;
    const message = await signed(request(), { parameters });
    expect(await codeOf(message, { parameters: [] })).toBe('parameter_missing');
    expect(await codeOf(message, { parameters: [], maxAgeSeconds: Infinity })).toBe('ok');
  });

  it('A9 a policy whose numbers are not numbers refuses everything', async () => {
    const message = await signed(request());
    for (const name of ['now', 'maxAgeSeconds', 'clockSkewSeconds']) {
      expect(await codeOf(message, { [name]: Number.NaN })).not.toBe('ok');
    }
  });

  it.each(['keyid', 'nonce', 'tag', 'alg'])('A16 %s must be a String', async (name) => {
    const input = `sig=();created=${NOW};${name}=token`;
    const message = withFields(request(), 'Signature-Input', input, 'Signature', 'sig=:AAAA:');
    expect(await codeOf(message, { ...nothingRequired, select: { label: 'sig' } })).toBe('parameter_malformed');
  });
});

describe('A11 keys that cannot be found', () => {
  it('A11 passes the problem through, with the candidate, and never calls it invalid', async () => {
    const message = await signed(request());
    const problem = { problem: 'unreachable', retryAfterSeconds: 3 };
    const result = await verifyMessage(message, { ...policy(), resolveKey: async () => problem });
    expect(result).toMatchObject({ ok: false, code: 'key', problem, candidate: { parameters: { keyid: 'key-1' } } });
  });

  it('A11 a resolver that fails is our outage: it rejects', async () => {
    await expect(verifyMessage(await signed(request()), policy({ resolveKey: outage }))).rejects.toThrow(
      'directory down',
    );
  });

  it.each(['../../etc/passwd', '__proto__', 'k'.repeat(10_000), '" ; \\'])(
    'A11 the keyid %j reaches the resolver as it is',
    async (keyid) => {
      const seen: unknown[] = [];
      const message = await signed(request(), { parameters: { ...PARAMETERS, keyid } });
      const resolveKey: VerificationPolicy['resolveKey'] = ({ parameters }) => {
        seen.push(parameters.keyid);
        return { problem: 'unknown' };
      };
      expect(await codeOf(message, { resolveKey })).toBe('key');
      expect(seen).toEqual([keyid]);
    },
  );

  it('A11 the resolver is not asked about a message that can be refused without a key', async () => {
    const message = await signed(request());
    expect(await codeOf(message, { resolveKey: neverAsked, now: NOW + 1000 })).toBe('expired');
    expect(await codeOf(without(message, 'content-type'), { resolveKey: neverAsked })).toBe('component_missing');
  });
});

describe('A12 tags', () => {
  it.each([`${TAG}x`, TAG.slice(1), TAG.toUpperCase(), ` ${TAG}`, '', 'web-bot-auth'])(
    'A12 the tag %j is not ours',
    async (tag) => {
      expect(await codeOf(await signed(request(), { parameters: { ...PARAMETERS, tag } }))).toBe('missing');
    },
  );

  it('A12 a signed response is not a request', async () => {
    const response = await signed({ status: 200, rawFields: [] }, { components: ['@status'] });
    const asRequest = { ...request(), rawFields: response.rawFields };
    expect(await codeOf(asRequest)).toBe('component_required');
    expect(await codeOf(asRequest, nothingRequired)).toBe('component_unsupported');
    const result = await verifyMessage(response, policy());
    expect(result).toMatchObject({ ok: false, code: 'component_required' });
  });

  it('A17 no signature, and no signature of ours, is missing', async () => {
    expect(await codeOf(request())).toBe('missing');
    expect(await codeOf(request(), { select: { label: 'sig' } })).toBe('missing');
    expect(await codeOf(await signed(request()), { select: { label: 'other' } })).toBe('missing');
  });
});
