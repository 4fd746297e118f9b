// What changes while the API serves: keys rotate, tokens are revoked, policies reload. After each change a request that
// must be refused now is sent.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAgent, generateAgentKey } from '@countersign/agent';
import { openConnection } from '../host/connection.mjs';
import { mintToken, reviewer, signedText } from '../host/signer.mjs';
import { AGENT, ISSUER, policyText } from '../host/world.mjs';

const TOKEN_SECONDS = 120;
const POLICIES = 100;

export function writePolicies(folder, version) {
  const path = join(folder, 'policies');
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'all.cedar'), policyText(POLICIES + (version % 10)));
}

export async function createChanges(folder, server) {
  let agent = reviewer;
  let token = await mintToken(AGENT, TOKEN_SECONDS);
  const counts = { rotations: 0, revocations: 0, reloads: 0 };

  /** @throws Error when the server accepts what it must refuse. */
  async function mustRefuse(signer, status) {
    const connection = await openConnection(server.port);
    const answer = await connection.send(await signedText(signer));
    connection.close();
    if (!answer.startsWith(`HTTP/1.1 ${status} `)) throw new Error(`not refused with ${status}: ${answer}`);
  }

  return {
    counts,
    warm: () => agent.withToken(token),
    behind: (given) => agent.withToken(given),

    async rotateKey(drained) {
      const former = agent;
      const key = generateAgentKey();
      await server.ask({ task: 'addKey', agent: AGENT, jwk: key.publicJwk });
      agent = await createAgent({ id: AGENT, key });
      await drained();
      await server.ask({ task: 'removeKey', thumbprint: former.keyId });
      await mustRefuse(former.withToken(token), 401);
      counts.rotations += 1;
    },

    async revokeToken(drained) {
      const former = token;
      token = await mintToken(AGENT, TOKEN_SECONDS);
      await drained();
      const { jti: delegation, exp: until } = JSON.parse(Buffer.from(former.split('.')[1], 'base64url'));
      await server.ask({ task: 'revoke', revocation: { delegation, issuer: ISSUER, until } });
      await mustRefuse(agent.withToken(former), 401);
      counts.revocations += 1;
    },

    async reloadPolicies() {
      counts.reloads += 1;
      writePolicies(folder, counts.reloads);
      const result = await server.ask({ task: 'reload' });
      if (result.ok !== true) throw new Error(`the policies did not reload: ${JSON.stringify(result)}`);
    },
  };
}
