import { type ApprovalQuestion, createAgent } from '@countersign/agent';
import { approvalDetails, readApprovalDetails } from '@countersign/approval';
import { describe, expect, it } from 'vitest';
import { askedCases, authority, polls, refusedCases } from './make/approvals.js';
import { agentKeyOf, ids } from './make/principals.js';

type Made = (typeof askedCases)[number];

const calls = askedCases.filter(({ approval }) => approval.call === undefined);

it.each(askedCases)('an authority reads the question with $name', ({ approval, shown }) => {
  const details = approvalDetails(approval, shown);
  expect(readApprovalDetails(details)).toEqual({ ok: true, value: details });
});

it.each(calls)('the agent asks about $name', async (one) => {
  const { question } = await sent(one);
  expect(question?.request).toEqual(one.approval);
});

it.each(refusedCases)('the agent asks nobody about $name [C12]', async (one) => {
  const { question, agent } = await sent(one);
  if (question === undefined) return;
  await expect(agent.requestApproval(question)).rejects.toMatchObject({ code: 'approval_refused' });
});

/** What the agent would ask about after its request was refused. */
async function sent({ line, body, problem }: Made) {
  let question: ApprovalQuestion | undefined;
  const agent = await createAgent({
    id: ids.runner,
    key: agentKeyOf('runner'),
    authority,
    onApprovalRequired: (asked) => {
      question = asked;
      return undefined;
    },
    fetch: () => {
      const headers = { 'content-type': 'application/problem+json' };
      return Promise.resolve(new Response(JSON.stringify(problem), { status: 403, headers }));
    },
  });
  const { method, headers = {} } = line;
  await agent.fetch(line.url, { method, headers, ...(body && { body: new Uint8Array(body) }) });
  return { question, agent };
}

// At once: the agent waits between two looks.
describe.concurrent('an answer of the authority', () => {
  const codes = {
    denied: 'approval_denied',
    expired: 'approval_expired',
    withdrawn: 'approval_expired',
    refused: 'approval_refused',
    unavailable: 'authority_unavailable',
  } as const;

  it.each(polls.filter(({ outcome }) => outcome !== 'pending'))('is read where $name', async ({ outcome, ...one }) => {
    const metadata = { issuer: authority, approval_endpoint: `${authority}/approval` };
    const question = { approval_id: 'an-id', approval_uri: authority, expires_in: 60, interval: 1 };
    const agent = await createAgent({
      id: ids.runner,
      key: agentKeyOf('runner'),
      authority,
      fetch: (input) => {
        const { pathname } = new URL(input instanceof Request ? input.url : input);
        if (pathname.startsWith('/.well-known')) return Promise.resolve(Response.json(metadata));
        if (!pathname.endsWith('/poll')) return Promise.resolve(Response.json(question));
        return Promise.resolve(Response.json(one.answer, { status: one.status ?? 200 }));
      },
    });
    const [about] = askedCases;
    const asked = agent.requestApproval({ request: about?.approval, issuers: [authority] } as ApprovalQuestion);
    if (outcome === 'approved') expect(await asked).toBe((one.answer as { approval: string }).approval);
    else
      expect(await asked.catch((error: unknown) => error)).toMatchObject({
        code: codes[outcome as keyof typeof codes],
      });
  });
});
