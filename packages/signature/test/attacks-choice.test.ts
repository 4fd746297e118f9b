import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nativeSigningKey, SignatureError, type VerificationPolicy, verifyMessage } from '../src/index.js';
import { NOW, PARAMETERS, policy, request, rewrite, signed, TAG, withFields, without } from './support/messages.js';
import { codeOf, codeAt, outage, neverAsked, nothingRequired } from './support/verdicts.js';

describe('several signatures [A7]', () => {
  it('a message is refused when two signatures have our tag, whichever is valid [A7]', async () => {
    const valid = await signed(request());
    for (const choice of [{ label: 'sig2' }, { label: 'a', components: ['@method'] }]) {
      expect(await codeOf(await signed(valid, choice))).toBe('ambiguous');
    }
  });

  it('the signature with our tag is verified when it is not the first [A7]', async () => {
    const other = await signed(request(), { label: 'proxy', parameters: { ...PARAMETERS, tag: 'proxy' } });
    expect(await codeOf(await signed(other))).toBe('ok');
    const broken = rewrite(await signed(other), 'signature', (value) => value.replace('sig=:', 'sig=:AAAA'));
    expect(await codeOf(broken)).not.toBe('ok');
  });

  it('an attacker who prepends a signature with another tag and key gains nothing [A7]', async () => {
    const attacker = nativeSigningKey(generateKeyPairSync('ed25519').privateKey, { keyId: 'attacker' });
    const prepended = await signed(request(), { key: attacker, label: 'a', parameters: { ...PARAMETERS, tag: 'x' } });
    const result = await verifyMessage(await signed(prepended), policy());
    expect(result).toMatchObject({ ok: true, signature: { label: 'sig', parameters: { keyid: 'key-1' } } });
  });

  it('a repeated label is refused, in one line or in two [A7]', async () => {
    const message = await signed(request());
    const twice = rewrite(message, 'signature', (value) => `${value}, ${value}`);
    expect(await codeOf(twice)).toBe('ambiguous');
    expect(await codeOf(withFields(message, 'Signature', 'sig=:AAAA:'))).toBe('ambiguous');
    expect(await codeOf(withFields(message, 'Signature-Input', 'sig=()'))).toBe('ambiguous');
  });

  it('a label in only one of the two fields is refused, also beside a valid signature [A7]', async () => {
    const message = await signed(request());
    expect(await codeOf(withFields(message, 'Signature', 'other=:AAAA:'))).toBe('ambiguous');
    expect(await codeOf(withFields(message, 'Signature-Input', 'other=();tag="x"'))).toBe('ambiguous');
    expect(await codeOf(without(message, 'signature'))).toBe('ambiguous');
    expect(await codeOf(without(message, 'signature-input'))).toBe('ambiguous');
  });
});

describe('time [A9]', () => {
  it('created in the future is refused beyond the skew [A9]', async () => {
    expect(await codeAt({}, NOW - 5)).toBe('ok');
    expect(await codeAt({}, NOW - 6)).toBe('not_yet_valid');
  });

  it('a signature is refused after expires plus the skew [A9]', async () => {
    expect(await codeAt({ expires: NOW + 10 }, NOW + 14)).toBe('ok');
    expect(await codeAt({ expires: NOW + 10 }, NOW + 15)).toBe('expired');
  });

  it('a signature that expires in 2100 is refused after the maximum age [A9]', async () => {
    expect(await codeAt({ expires: 4_102_444_800 }, NOW + 64)).toBe('ok');
    expect(await codeAt({ expires: 4_102_444_800 }, NOW + 65)).toBe('expired');
  });

  it('a signature without expires is refused when created is old [A9]', async () => {
    const { expires: _, ...parameters } = PARAMETERS;
    const message = await signed(request(), { parameters });
    expect(await codeOf(message, { now: NOW + 64 })).toBe('ok');
    expect(await codeOf(message, { now: NOW + 65 })).toBe('expired');
  });

  it('validUntil is exactly the first moment of refusal [A9]', async () => {
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
  ])('created %s is refused [A9]', async (_, parameters, code) => {
    const input = `sig=("@method" "@target-uri" "authorization" "content-digest" "content-type");${parameters};tag="${TAG}"`;
    const message = withFields(request(), 'Signature-Input', input, 'Signature', 'sig=:AAAA:');
    expect(await codeOf(message)).toBe(code);
  });

  it('a signature without created is refused unless maxAgeSeconds is Infinity [A9]', async () => {
    const { created: _, ...parameters } = PARAMETERS;
    const message = await signed(request(), { parameters });
    expect(await codeOf(message, { parameters: [] })).toBe('parameter_missing');
    expect(await codeOf(message, { parameters: [], maxAgeSeconds: Infinity })).toBe('ok');
  });

  it('a policy with NaN for a number refuses every signature [A9]', async () => {
    const message = await signed(request());
    for (const name of ['now', 'maxAgeSeconds', 'clockSkewSeconds']) {
      expect(await codeOf(message, { [name]: Number.NaN })).not.toBe('ok');
    }
  });

  it('a policy with text for a number throws: appended to a time, it would end no signature [A9]', async () => {
    const message = await signed(request());
    for (const name of ['now', 'maxAgeSeconds', 'clockSkewSeconds']) {
      await expect(codeOf(message, { [name]: '60' as unknown as number })).rejects.toThrow(
        new SignatureError('argument', `policy: '${name}' must be a number`),
      );
    }
  });

  it.each(['keyid', 'nonce', 'tag', 'alg'])('%s must be a String [A16]', async (name) => {
    const input = `sig=();created=${NOW};${name}=token`;
    const message = withFields(request(), 'Signature-Input', input, 'Signature', 'sig=:AAAA:');
    expect(await codeOf(message, { ...nothingRequired, select: { label: 'sig' } })).toBe('parameter_malformed');
  });
});

describe('keys that cannot be found [A11]', () => {
  it('the refusal carries the problem and the candidate, and is never invalid [A11]', async () => {
    const message = await signed(request());
    const problem = { problem: 'unreachable', retryAfterSeconds: 3 };
    const result = await verifyMessage(message, { ...policy(), resolveKey: async () => problem });
    expect(result).toMatchObject({ ok: false, code: 'key', problem, candidate: { parameters: { keyid: 'key-1' } } });
  });

  it('verifyMessage rejects when the resolver rejects [A11]', async () => {
    await expect(verifyMessage(await signed(request()), policy({ resolveKey: outage }))).rejects.toThrow(
      'directory down',
    );
  });

  it.each(['../../etc/passwd', '__proto__', 'k'.repeat(10_000), '" ; \\'])(
    'the keyid %j reaches the resolver unchanged [A11]',
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

  it('the resolver is not called when a message can be refused without a key [A11]', async () => {
    const message = await signed(request());
    expect(await codeOf(message, { resolveKey: neverAsked, now: NOW + 1000 })).toBe('expired');
    expect(await codeOf(without(message, 'content-type'), { resolveKey: neverAsked })).toBe('component_missing');
  });
});

describe('tags [A12]', () => {
  it.each([`${TAG}x`, TAG.slice(1), TAG.toUpperCase(), ` ${TAG}`, '', 'web-bot-auth'])(
    'the tag %j is not ours [A12]',
    async (tag) => {
      expect(await codeOf(await signed(request(), { parameters: { ...PARAMETERS, tag } }))).toBe('missing');
    },
  );

  it('a signed response is not a request [A12]', async () => {
    const response = await signed({ status: 200, rawFields: [] }, { components: ['@status'] });
    const asRequest = { ...request(), rawFields: response.rawFields };
    expect(await codeOf(asRequest)).toBe('component_required');
    expect(await codeOf(asRequest, nothingRequired)).toBe('component_unsupported');
    const result = await verifyMessage(response, policy());
    expect(result).toMatchObject({ ok: false, code: 'component_required' });
  });

  it('the code is missing when no signature has our tag [A17]', async () => {
    expect(await codeOf(request())).toBe('missing');
    expect(await codeOf(request(), { select: { label: 'sig' } })).toBe('missing');
    expect(await codeOf(await signed(request()), { select: { label: 'other' } })).toBe('missing');
  });
});
