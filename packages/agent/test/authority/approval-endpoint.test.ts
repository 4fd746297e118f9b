import { describe, expect, it, vi } from 'vitest';
import type { ApprovalQuestion } from '../../src/approval-question.js';
import { approvalEndpoint } from '../../src/authority/approval-endpoint.js';
import type { AuthorityAnswer, AuthorityClient } from '../../src/authority/authority-client.js';
import { AgentError, ConfigError, createAgent, generateAgentKey } from '../../src/index.js';

const issuer = 'https://id.acme.dev';
const question = { request: { action: 'pr.merge' }, issuers: [issuer] } as unknown as ApprovalQuestion;
const asked = { approval_id: 'a1', approval_uri: `${issuer}/approvals/a1`, expires_in: 600, interval: 0 };

type Reply = Partial<Pick<AuthorityAnswer, 'status' | 'json'>> | Error;

/** An endpoint whose authority answers in this order. The waits between are skipped. */
function endpoint(...replies: readonly Reply[]) {
  const left = [...replies];
  const post = vi.fn<AuthorityClient['post']>(async () => {
    const reply = left.shift() ?? new Error('nothing more is expected');
    if (reply instanceof Error) throw reply;
    return { status: 200, json: {}, asked: 0, ...reply };
  });
  return { ask: approvalEndpoint({ issuer, post }), post, paths: () => post.mock.calls.map(([{ suffix }]) => suffix) };
}

const outage = new AgentError('authority_unavailable', 'down');

describe('approvalEndpoint', () => {
  it('asks, looks until people have decided, and gets the approval', async () => {
    const { ask, paths } = endpoint({ json: asked }, { json: { status: 'pending', interval: 0 } }, outage, {
      json: { status: 'approved', approval: 'a.b.c' },
    });
    const onAsked = vi.fn();
    expect(await ask.request(question, { onAsked })).toBe('a.b.c');
    expect(onAsked).toHaveBeenCalledWith({ id: 'a1', url: asked.approval_uri, expiresInSeconds: 600 });
    expect(paths()).toEqual([undefined, '/poll', '/poll', '/poll']);
  });

  it.each<[string, readonly Reply[], string]>([
    ['people deny', [{ json: asked }, { json: { status: 'denied', reason: 'not\u001b now' } }], 'approval_denied'],
    ['nobody decides', [{ json: asked }, { json: { status: 'expired' } }], 'approval_expired'],
    ['it is withdrawn', [{ json: asked }, { json: { status: 'withdrawn' } }], 'approval_expired'],
    ['the authority refuses the question', [{ status: 400, json: { error: 'approval_invalid' } }], 'approval_refused'],
    ['the authority is out of order', [{ status: 503, json: {} }], 'authority_unavailable'],
    ['it answers without an id', [{ json: { approval_uri: 'x' } }], 'authority_unavailable'],
  ])('rejects if %s', async (_what, replies, code) => {
    const { ask, post } = endpoint(...replies);
    await expect(ask.request(question, {})).rejects.toMatchObject({ code });
    expect(post).toHaveBeenCalledTimes(replies.length);
  });

  it('withdraws the question if the authority stays out of order', async () => {
    const { ask, paths } = endpoint({ json: asked }, outage, outage, outage, outage, outage, { json: {} });
    await expect(ask.request(question, {})).rejects.toMatchObject({ code: 'authority_unavailable' });
    expect(paths().at(-1)).toBe('/withdraw');
  });

  it('says what to do if the authority does not know the agent', async () => {
    const { ask } = endpoint({ status: 401, json: { error: 'invalid_client', error_description: 'unknown agent' } });
    await expect(ask.request(question, {})).rejects.toThrow(
      `${issuer} does not ask people: invalid_client: unknown agent. Register this agent there, with the id and the key that it has here`,
    );
  });

  it('shows no control characters of the authority', async () => {
    const { ask } = endpoint({ json: asked }, { json: { status: 'denied', reason: 'not\u001b now' } });
    await expect(ask.request(question, {})).rejects.toThrow('not\\u001b now');
  });
});

describe('the options of approvals', () => {
  const key = generateAgentKey();

  it("'wait' needs an authority", async () => {
    await expect(createAgent({ id: 'a', key, onApprovalRequired: 'wait' })).rejects.toThrow(ConfigError);
    await expect(createAgent({ id: 'a', key, onApprovalRequired: 'ask' as 'wait' })).rejects.toThrow("must be 'wait'");
    const agent = await createAgent({ id: 'a', key });
    await expect(agent.requestApproval(question)).rejects.toThrow('has no authority');
  });
});
