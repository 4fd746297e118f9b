import { generateAgentKey } from '@countersign/agent';
import type { Attempt } from './attempt.js';

/** What is wrong with the signature, or was changed after it. */
export const onSignatures: readonly Attempt[] = [
  {
    name: 'no signature at all',
    code: 'signature_required',
    bearerCode: 'token_not_bound_to_agent',
    needs: ({ marked }) => marked,
    make: (forge) => forge.altered(() => ({ headers: { signature: undefined, 'signature-input': undefined } })),
  },
  {
    name: 'Signature removed',
    code: 'signature_ambiguous',
    make: (forge) => forge.altered(() => ({ headers: { signature: undefined } })),
  },
  {
    name: 'Signature-Input removed',
    code: 'signature_ambiguous',
    bearerCode: 'token_not_bound_to_agent',
    needs: ({ marked }) => marked,
    make: (forge) => forge.altered(() => ({ headers: { 'signature-input': undefined } })),
  },
  {
    name: 'another method',
    code: 'signature_invalid',
    make: (forge) => forge.altered(({ method }) => ({ method: method === 'PUT' ? 'PATCH' : 'PUT' })),
  },
  {
    name: 'another path',
    code: 'signature_invalid',
    make: (forge) => forge.altered(({ path }) => ({ path: path.replace(/(?=\?|$)/, 'x') })),
  },
  {
    name: 'a query added',
    code: 'signature_invalid',
    make: (forge) => forge.altered(({ path }) => ({ path: `${path}${path.includes('?') ? '&' : '?'}admin=1` })),
  },
  {
    name: 'sent to another host',
    code: 'origin_mismatch',
    make: (forge) => forge.altered(() => ({ headers: { host: 'elsewhere.test' } })),
  },
  {
    name: 'a bit of the signature flipped',
    code: 'signature_invalid',
    make: (forge) => changedField(forge, 'signature', (value) => flipped(value)),
  },
  {
    name: 'another nonce',
    code: 'signature_invalid',
    make: (forge) => changedField(forge, 'signature-input', (value) => value.replace('nonce="', 'nonce="x')),
  },
  {
    name: 'a later expiry',
    code: 'signature_invalid',
    make: (forge) =>
      changedField(forge, 'signature-input', (value) => value.replace(/expires=\d+/, `expires=${forge.now + 100}`)),
  },
  {
    name: 'labels that differ',
    code: 'signature_ambiguous',
    make: (forge) => changedField(forge, 'signature', (value) => `x${value}`),
  },
  {
    name: 'an unknown key',
    code: 'signature_invalid',
    make: (forge) => forge.signed({ key: generateAgentKey() }),
  },
  {
    name: 'another key under a known name',
    code: 'signature_invalid',
    make: (forge) => {
      const other = generateAgentKey();
      return forge.signed({ key: { algorithm: 'ed25519', keyId: forge.key.keyId, sign: (data) => other.sign(data) } });
    },
  },
  ...['@method', '@authority', '@path', '@query'].map(
    (name): Attempt => ({
      name: `${name} not covered`,
      code: 'signature_incomplete',
      make: (forge) => forge.signed({ uncovered: [name] }),
    }),
  ),
  {
    name: 'no nonce',
    code: 'signature_incomplete',
    make: (forge) => forge.signed({ parameters: { nonce: undefined } }),
  },
  {
    name: 'a nonce too short',
    code: 'signature_incomplete',
    make: (forge) => forge.signed({ parameters: { nonce: '1' } }),
  },
  {
    name: 'no time',
    code: 'signature_incomplete',
    make: (forge) => forge.signed({ parameters: { created: undefined } }),
  },
  {
    name: 'signed two hours ago',
    code: 'signature_expired',
    make: (forge) => forge.signed({ parameters: { created: forge.now - 7200, expires: forge.now - 7000 } }),
  },
  {
    name: 'signed two hours ago, without an end',
    code: 'signature_expired',
    make: (forge) => forge.signed({ parameters: { created: forge.now - 7200, expires: undefined } }),
  },
  {
    name: 'signed in the future',
    code: 'signature_not_yet_valid',
    make: (forge) => forge.signed({ parameters: { created: forge.now + 600, expires: forge.now + 660 } }),
  },
  {
    name: 'no tag',
    code: 'signature_required',
    bearerCode: 'token_not_bound_to_agent',
    needs: ({ marked }) => marked,
    make: (forge) => forge.signed({ parameters: { tag: undefined } }),
  },
  {
    name: 'the tag of another profile',
    code: 'signature_required',
    bearerCode: 'token_not_bound_to_agent',
    needs: ({ marked }) => marked,
    make: (forge) => forge.signed({ parameters: { tag: 'another-profile' } }),
  },
  {
    name: 'another algorithm',
    code: 'algorithm_not_allowed',
    make: (forge) => forge.signed({ parameters: { alg: 'hmac-sha256' } }),
  },
  {
    name: 'a method override added',
    code: 'credential_uncovered',
    make: (forge) => forge.altered(() => ({ headers: { 'x-http-method-override': 'DELETE' } })),
  },
  {
    name: 'a link added',
    code: 'credential_uncovered',
    needs: ({ linked }) => !linked,
    make: (forge) => forge.altered(() => ({ headers: { 'agent-delegation': 'e30.e30.e30' } })),
  },
  {
    name: 'sent a second time',
    code: 'signature_replayed',
    make: async (forge, send) => {
      const message = await forge.honest();
      await send(message);
      return message;
    },
  },
];

type Forged = Parameters<Attempt['make']>[0];

function changedField(forge: Forged, name: string, change: (value: string) => string): ReturnType<Attempt['make']> {
  return forge.altered(({ headers }) => ({ headers: { [name]: change(headers[name] ?? '') } }));
}

/** Another character in the middle of the base64. */
function flipped(signature: string): string {
  const at = signature.length >> 1;
  return `${signature.slice(0, at)}${signature[at] === 'A' ? 'B' : 'A'}${signature.slice(at + 1)}`;
}
