import { createPublicKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { jwkThumbprint } from '@countersign/signature';
import { describe, expect, it } from 'vitest';
import { memoryAudit } from '@countersign/audit';
import { bufferedBody } from '../../../src/stages/body/buffered-body.js';
import { createGuard } from '../../../src/guard.js';
import type { AgentDirectory } from '../../../src/keys/directory.js';
import type { PublicJwk } from '../../../src/model/jwk.js';

const vectors = new URL(
  '../../../../../shared/vectors/web-bot-auth/packages/web-bot-auth/test/test_data/',
  import.meta.url,
);

interface Vector {
  readonly key: PublicJwk;
  readonly target_url: string;
  readonly created_ms: number;
  readonly signature: string;
  readonly signature_input: string;
  readonly signature_agent?: string;
}

describe.skipIf(!existsSync(vectors))('the test vectors of web-bot-auth', () => {
  const files = ['web_bot_auth_architecture_v1.json', 'web_bot_auth_architecture_v2.json'];
  const cases = existsSync(vectors)
    ? files.flatMap((file) => JSON.parse(readFileSync(new URL(file, vectors), 'utf8')) as Vector[])
    : [];

  it('verify at their time if signed with Ed25519 and unchanged, and are refused otherwise [A12]', async () => {
    const verdicts = [];
    for (const vector of cases) {
      const { host, pathname } = new URL(vector.target_url);
      const guard = await createGuard({
        origin: `https://${host}`,
        agents: holding(vector.key),
        policy: { scopeVocabulary: [], decide: () => Promise.reject(new Error('not asked')) },
        audit: memoryAudit(),
        clock: () => vector.created_ms,
        webBotAuth: true,
      });
      const send = async (agent: string | undefined) => {
        const rawHeaders = ['Host', host, 'Signature-Input', vector.signature_input, 'Signature', vector.signature];
        if (agent !== undefined) rawHeaders.push('Signature-Agent', agent);
        const body = bufferedBody(new Uint8Array());
        const answer = await guard.authenticate({ method: 'GET', target: pathname, rawHeaders, body });
        return answer.ok ? answer.caller?.proof.kind : answer.refusal.code;
      };
      verdicts.push([vector.key.kty, await send('x="https://other.example"'), await send(vector.signature_agent)]);
    }
    expect(verdicts).toEqual(
      cases.map((vector) => [
        vector.key.kty,
        vector.key.kty === 'OKP' ? refusedChange(vector) : expect.stringMatching(/^(?:signature_|algorithm_)/),
        vector.key.kty === 'OKP' ? 'web-bot-auth' : 'algorithm_not_allowed',
      ]),
    );
    expect(verdicts.filter(([, , verdict]) => verdict === 'web-bot-auth').length).toBeGreaterThan(3);
  });
});

/** The expected code after a Signature-Agent field was added or changed. */
function refusedChange({ signature_agent }: Vector): unknown {
  return signature_agent === undefined ? 'signature_incomplete' : expect.stringMatching(/^signature_/);
}

/** Takes any key, also the published test key that a real directory refuses. */
function holding(jwk: PublicJwk): AgentDirectory {
  const thumbprint = jwkThumbprint(jwk);
  const { kty = '', crv = '', x = '', n = '', e = '' } = jwk;
  const members = kty === 'OKP' ? { kty, crv, x } : { kty, n, e };
  const publicKey = createPublicKey({ key: members, format: 'jwk' });
  const agent = { id: 'bot', capabilities: [], roles: [], status: 'active' } as const;
  return {
    findByThumbprint: (asked) =>
      asked === thumbprint ? { kind: 'found', agent, key: { thumbprint, publicKey } } : { kind: 'unknown' },
    statusOf: (id) => (id === 'bot' ? 'active' : 'unknown'),
  };
}
