import { agentsFromObjects, memoryReplayStore } from '@countersign/core';
import { expect, it } from 'vitest';
import * as webBotAuth from 'web-bot-auth';
import { signerFromJWK } from 'web-bot-auth/crypto';
import { type Api, type ApiOptions, onEveryHost, onEverySetup, refuseEach } from '../support/api.js';
import { dpopProof, dpopRequest, ed25519ProofKey } from '../support/dpop.js';
import {
  alsoSigned,
  type Field,
  type RawRequest,
  type SignedRequestOptions,
  tampered,
  withFields,
} from '../support/signed-request.js';
import { policies, reviewer, reviewerCapabilities, reviewerId, schema, stranger, suspended } from '../support/world.js';

const agentField: Field = ['Signature-Agent', '"https://agent.example"'];
const asked = { webBotAuth: true } as const;
const byName = `${policies}
permit(principal == Agent::"${reviewerId}", action == Action::"invoice.read", resource)
when { context.possession == "web-bot-auth" };
permit(principal == Agent::"${reviewerId}", action == Action::"pr.merge", resource)
when { context.possession == "web-bot-auth" };`;

/** A signature of the profile, by the reviewer's key. */
function botSigned(api: Api, options: Partial<SignedRequestOptions> = {}): RawRequest {
  return api.signed({
    covered: ['"@authority"'],
    ...options,
    parameters: { tag: '"web-bot-auth"', ...options.parameters },
  });
}

/** A signature by Cloudflare's own signer. */
async function signedByOthers(api: Api, target: string): Promise<RawRequest> {
  const path = api.at(target);
  const signed = await webBotAuth.signatureHeaders(
    { method: 'GET', url: `http://${api.authority}${path}`, headers: { 'signature-agent': agentField[1] } },
    await signerFromJWK(reviewer.privateKey.export({ format: 'jwk' })),
    { created: new Date(), expires: new Date(Date.now() + 60_000) },
  );
  return {
    method: 'GET',
    target: path,
    fields: [
      ['Host', api.authority],
      agentField,
      ['Signature-Input', signed['Signature-Input']],
      ['Signature', signed.Signature],
    ],
    body: Buffer.alloc(0),
  };
}

onEverySetup(
  'Web Bot Auth',
  (api) => {
    it('identifies the sender of a request, and grants neither scope nor roles [A12]', async () => {
      const { response } = await api.accepts(await signedByOthers(api, '/whoami'), 200);
      expect(JSON.parse(response.body)).toMatchObject({
        actor: { id: reviewerId, keyId: reviewer.thumbprint, roles: [], capabilities: [] },
        subject: { id: reviewerId },
        chain: [{ id: reviewerId, proof: 'signature' }],
        scope: [],
      });
    });
  },
  { config: asked },
);

onEveryHost(
  'Web Bot Auth signatures that do not count',
  (api) => {
    const incomplete = [401, 'signature_incomplete'] as const;
    const uncovered = [401, 'credential_uncovered'] as const;
    const sent = (options: Partial<SignedRequestOptions>) => () => botSigned(api, options);
    const parameters = (changed: SignedRequestOptions['parameters'] & object) => sent({ parameters: changed });

    refuseEach(api, [
      ['an empty list of components [A1]', sent({ covered: [] }), ...incomplete],
      ['no authority [A2]', sent({ covered: ['"@method"', '"@path"'] }), ...incomplete],
      ['another origin [A2]', sent({ host: 'other.example' }), 401, 'origin_mismatch'],
      ['no created [A9]', parameters({ created: undefined }), ...incomplete],
      ['no expires [A9]', parameters({ expires: undefined }), ...incomplete],
      ['a past expires [A9]', parameters({ created: '1700000000', expires: '1700000060' }), 401, 'signature_expired'],
      [
        'an old created with a future expires [A9]',
        parameters({ created: '1700000000', expires: '9000000000' }),
        401,
        'signature_expired',
      ],
      [
        'a created in the future [A9]',
        parameters({ created: '9000000000', expires: '9000000060' }),
        401,
        'signature_not_yet_valid',
      ],
      ['no keyid [A11]', parameters({ keyid: undefined }), ...incomplete],
      ['an unknown key [A11]', sent({ key: stranger }), 401, 'key_unknown'],
      ['a key of a suspended agent [A11]', sent({ key: suspended }), 401, 'agent_suspended'],
      ['another algorithm [A8]', parameters({ alg: '"hmac-sha256"' }), 401, 'algorithm_not_allowed'],
      ['a nonce that is too short [A10]', parameters({ nonce: '"x"' }), ...incomplete],
      [
        'a tag that starts with the right one [A12]',
        parameters({ tag: '"web-bot-auth-2"' }),
        401,
        'signature_required',
      ],
      ['a tag in upper case [A12]', parameters({ tag: '"Web-Bot-Auth"' }), 401, 'signature_required'],
      [
        'a signed directory response sent as a request [A12]',
        sent({
          covered: ['"@authority";req'],
          parameters: { tag: '"http-message-signatures-directory"' },
        }),
        401,
        'signature_required',
      ],
      [
        'two signatures with the tag [A7]',
        () => alsoSigned(botSigned(api, { label: 'a' }), botSigned(api, { label: 'b' })),
        400,
        'signature_ambiguous',
      ],
      ['an added signature-agent [A18]', () => withFields(botSigned(api), agentField), ...incomplete],
      [
        'a changed signature-agent [A18]',
        () =>
          tampered(
            botSigned(api, { fields: [agentField], alsoCovered: [], covered: ['"@authority"', '"signature-agent"'] }),
            {
              fields: { 'Signature-Agent': '"https://other.example"' },
            },
          ),
        401,
        'signature_invalid',
      ],
      ['an uncovered token [A18]', async () => botSigned(api, { token: await api.token() }), ...uncovered],
      [
        'a covered token [A18]',
        async () => botSigned(api, { token: await api.token(), covered: ['"@authority"', '"authorization"'] }),
        ...uncovered,
      ],
      [
        'uncovered delegation links [A18]',
        () => withFields(botSigned(api), ['Agent-Delegation', 'eyJ.x.y']),
        ...uncovered,
      ],
      [
        'another method in an override field [A18]',
        () => withFields(botSigned(api), ['X-HTTP-Method-Override', 'DELETE']),
        ...uncovered,
      ],
      ['a field of MCP [A18]', () => withFields(botSigned(api), ['Mcp-Method', 'tools/call']), ...uncovered],
      ['an unsafe method [A2]', sent({ method: 'DELETE', target: '/records/1' }), ...incomplete],
      [
        'an unsafe method with every component covered [A2]',
        () => api.signed({ method: 'POST', target: '/repos/acme/api/merge', parameters: { tag: '"web-bot-auth"' } }),
        ...incomplete,
      ],
      ['an unknown method [D7]', sent({ method: 'PROPFIND' }), ...incomplete],
      ['an uncovered body [A4]', sent({ method: 'GET', body: '{"a":1}' }), 401, 'digest_required'],
    ]);

    it('is accepted once with a nonce, and until it expires without one [A10]', async () => {
      const once = botSigned(api);
      await api.accepts(once, 200);
      await api.refuses(once, 401, 'signature_replayed');
      const often = botSigned(api, { parameters: { nonce: undefined } });
      await api.accepts(often, 200);
      await api.accepts(often, 200);
    });

    it('takes its room in the replay store from that of its agent [A10]', async () => {
      const guard = { replay: memoryReplayStore({ maxEntriesPerAgent: 1 }) };
      const small = await api.variant({ config: asked, start: { guard } });
      await small.accepts(small.signed(), 200);
      await small.refuses(botSigned(small), 503, 'replay_store_unavailable');
    });

    it('has no effect beside our signature, valid or not [A17]', async () => {
      const ours = api.signed();
      const both = alsoSigned(ours, botSigned(api, { label: 'bot' }));
      const { response } = await api.accepts(both, 200);
      expect(JSON.parse(response.body)).toMatchObject({
        scope: reviewerCapabilities.toSorted(),
      });
      const expired = api.signed({ parameters: { created: '1700000000', expires: '1700000060' } });
      await api.refuses(alsoSigned(expired, botSigned(api, { label: 'bot' })), 401, 'signature_expired');
    });

    it('is denied by a policy that requires a scope or a role [A18]', async () => {
      await api.denies(botSigned(api, { target: '/invoices' }), 403, 'policy_denied');
      await api.accepts(api.signed({ target: '/invoices' }), 200);
    });

    it('can be permitted by name', async () => {
      const named = await api.variant({ config: { ...asked, schema, policies: byName } });
      await named.accepts(botSigned(named, { target: '/invoices' }), 200);
    });

    it.each([
      ['role', 'forbid(principal in Role::"reviewer", action, resource);'],
      ['owner', 'forbid(principal, action, resource) when { principal has owner && principal.owner == "acme" };'],
      ['capability', 'forbid(principal, action, resource) when { principal.capabilities.contains("repo:read") };'],
    ])('does not escape a forbid on a %s of the agent [A18]', async (_title, forbid) => {
      const registered = { id: reviewerId, publicKey: reviewer.publicBase64, roles: ['reviewer'], owner: 'acme' };
      const guard = { agents: agentsFromObjects([{ ...registered, capabilities: reviewerCapabilities }]) };
      const config = { ...asked, schema, policies: `${byName}\n${forbid}` };
      const forbidding = await api.variant({ config, start: { guard } });
      await forbidding.denies(botSigned(forbidding, { target: '/invoices' }), 403, 'policy_denied');
    });
  },
  { config: asked },
);

onEveryHost(
  'Web Bot Auth for unsafe methods, where policy decides',
  (api) => {
    const merge = (options: Partial<SignedRequestOptions> = {}) =>
      api.signed({
        method: 'POST',
        target: '/repos/acme/api/merge',
        body: '{}',
        ...options,
        parameters: { tag: '"web-bot-auth"', ...options.parameters },
      });

    it('is accepted with all components of our own profile, and policy still decides', async () => {
      await api.accepts(merge(), 200);
      await api.denies(merge({ target: '/repos/acme/api/pulls' }), 403, 'policy_denied');
    });

    it('is refused with fewer components [A2, A4, A10]', async () => {
      await api.refuses(merge({ covered: ['"@authority"', '"@path"', '"@query"'] }), 401, 'signature_incomplete');
      await api.refuses(merge({ uncovered: ['"content-digest"'] }), 401, 'digest_required');
      await api.refuses(merge({ parameters: { nonce: undefined } }), 401, 'signature_incomplete');
      await api.refuses({ ...merge(), body: Buffer.from('[]') }, 401, 'digest_mismatch');
    });
  },
  { config: { webBotAuth: { unsafeMethods: 'policy' }, schema, policies: byName } },
);

onEveryHost('Web Bot Auth where it is not accepted', (api) => {
  it('a tag of another profile is ignored [A12]', async () => {
    await api.refuses(await signedByOthers(api, '/whoami'), 401, 'signature_required');
  });
});

const mixed: ApiOptions = { config: { ...asked, dpop: true }, start: { guard: { traffic: 'mixed' } } };
onEveryHost(
  'Web Bot Auth in mixed traffic',
  (api) => {
    it('is a mark, so it must verify [A17]', async () => {
      await api.accepts(botSigned(api), 200);
      await api.refuses(botSigned(api, { key: stranger }), 401, 'key_unknown');
    });

    it('has no effect beside DPoP [A17]', async () => {
      const key = ed25519ProofKey(reviewer);
      const token = await api.token({ cnf: { jkt: key.thumbprint } });
      const proof = dpopProof({ key, token, method: 'GET', uri: `${api.audience}/whoami` });
      const request = dpopRequest({ method: 'GET', target: '/whoami', host: api.authority, token, proofs: [proof] });
      await api.accepts(
        alsoSigned(
          withFields(request, ['Signature-Input', 'x=()'], ['Signature', 'x=:eA==:']),
          botSigned(api, { label: 'bot' }),
        ),
        200,
      );
    });
  },
  mixed,
);
