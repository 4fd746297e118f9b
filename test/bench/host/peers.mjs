// What a team would build from libraries: http-message-signatures, jose and Cedar on Express, as their documentation shows
// them. It checks signature, token and policy and writes a log line. It does not check the digest of the body, replays or
// the audience, and its log is neither durable nor chained.
import { createPublicKey, verify } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import cedar from '@cedar-policy/cedar-wasm/nodejs';
import createApp, { json } from 'express';
import { httpbis } from 'http-message-signatures';
import { jwtVerify } from 'jose';
import { AGENT, ANSWER, ISSUER, policyText, REPOSITORY, ROUTE } from './world.mjs';

const PREPARSED = 'all';

export async function application({ policies, preparsed, folder, keys }) {
  const agentKey = createPublicKey({ key: keys.agents.find(({ id }) => id === AGENT).jwk, format: 'jwk' });
  const issuerKey = createPublicKey({ key: keys.issuer, format: 'jwk' });
  const decide = decider(policyText(policies), preparsed);
  const log = createWriteStream(`${folder}.log`);
  const keyLookup = async ({ keyid }) => ({
    id: keyid,
    algs: ['ed25519'],
    verify: async (data, signature) => verify(null, data, agentKey, signature),
  });

  const guard = async (request, response, next) => {
    try {
      const url = `http://${request.headers.host}${request.originalUrl}`;
      const message = { method: request.method, url, headers: request.headers };
      if ((await httpbis.verifyMessage({ keyLookup }, message)) !== true) return response.status(401).end();
      const token = request.headers.authorization.slice('Bearer '.length);
      const { payload } = await jwtVerify(token, issuerKey, { issuer: ISSUER });
      if (decide(payload) !== 'allow') return response.status(403).end();
      log.write(`${JSON.stringify({ time: Date.now(), actor: payload.act.sub, subject: payload.sub })}\n`);
      next();
    } catch (error) {
      response.status(401).json({ error: String(error) });
    }
  };
  return createApp().post(ROUTE, guard, json(), (_request, response) => response.status(201).json(ANSWER));
}

function decider(text, preparsed) {
  const policies = { staticPolicies: text };
  if (preparsed) {
    const loaded = cedar.preparsePolicySet(PREPARSED, policies);
    if (loaded.type !== 'success') throw new Error(JSON.stringify(loaded));
  }
  return ({ act, sub, scope }) => {
    const question = {
      principal: { type: 'Agent', id: act.sub },
      action: { type: 'Action', id: 'pr.create' },
      resource: { type: 'Repo', id: REPOSITORY },
      context: { onBehalfOf: { __entity: { type: 'User', id: sub } }, scope: scope.split(' ') },
      entities: [],
    };
    const answer = preparsed
      ? cedar.statefulIsAuthorized({ ...question, preparsedPolicySetId: PREPARSED })
      : cedar.isAuthorized({ ...question, policies });
    return answer.response?.decision;
  };
}
