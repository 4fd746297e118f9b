import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { approvalOf, type Ask, seconds } from '../../../test/support/approvals.js';
import { digestOf } from '../src/decide/arguments.js';
import { hosts, type Running } from './hosts.js';
import { type Answer, Rpc } from './rpc.js';
import { authority } from './world.js';

const eras = hosts.flatMap((host) =>
  (host.sdk === 2 ? [false, true] : [false]).map((isModern) => ({ host, isModern })),
);

/** What a client of 2026-07-28 says if it opens pages for its user. */
const opensPages = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: { url: {} } } };

function askIn({ error }: Answer): Ask {
  expect(error).toMatchObject({ code: -32003, data: { code: expect.stringMatching(/^approval_/) } });
  return error?.data?.['approval'] as Ask;
}

describe.each(eras)('approvals in $host.name, modern: $isModern', ({ host, isModern }) => {
  let running: Running;
  let rpc: Rpc;
  beforeAll(async () => {
    running = await host.start();
    rpc = new Rpc(running.url, isModern);
    if (!isModern) await rpc.open(running.alice);
  });
  afterAll(() => running.close());

  const pay = (given: object, more: object = {}, agent = running.alice) =>
    rpc.call(agent, 'tools/call', { name: 'approve_me', arguments: given, ...more });

  /** People approve in the application's own queue. */
  function approve({ binding }: Ask): void {
    const now = seconds();
    running.queued.set(binding, {
      status: 'approved',
      id: crypto.randomUUID(),
      binding,
      askedAt: now,
      issuedAt: now,
      expiresAt: now + 60,
      approvers: [{ id: 'user_42', groups: ['release-managers'], decidedAt: now }],
    });
  }

  it('a call that needs approval is refused with what people have to approve', async () => {
    const answer = await pay({ amount: 1 });
    const ask = askIn(answer);
    expect(ask).toMatchObject({ url: 'https://approve.acme.dev/1', issuers: [authority.issuer] });
    expect(ask.request).toMatchObject({
      actor: { id: 'alice' },
      action: 'tool.call',
      resource: { type: 'Tool', id: 'approve_me' },
      call: { method: 'tools/call', name: 'approve_me', argumentsDigest: digestOf({ amount: 1 }) },
    });
    const { host: authority_, pathname } = new URL(running.url);
    expect(ask.request).toMatchObject({ http: { method: 'POST', authority: authority_, path: pathname } });
    expect(ask.request).not.toHaveProperty('http.contentDigest');
    expect(answer.error?.data).toMatchObject({
      code: 'approval_required',
      hint: expect.stringContaining('countersign/approval'),
    });
    expect(running.ran).not.toContain('approve_me 1');
  });

  it('it runs once when people have approved in the queue [C11]', async () => {
    approve(askIn(await pay({ amount: 2 })));
    expect((await pay({ amount: 2 })).result).toMatchObject({ content: [{ text: 'paid' }] });
    const again = await pay({ amount: 2 });
    expect(again.error?.data).toMatchObject({ code: 'approval_used' });
    expect(running.ran.filter((name) => name === 'approve_me 2')).toHaveLength(1);
  });

  it('it runs once with an approval in _meta, and for nothing else [C11]', async () => {
    const approval = await approvalOf(askIn(await pay({ amount: 3 })), authority);
    const _meta = { 'countersign/approval': approval };
    for (const [refused, code] of [
      [await pay({ amount: 300 }, { _meta }), 'approval_mismatch'],
      [await pay({ amount: 3 }, { _meta: { 'countersign/approval': 'x' } }), 'approval_malformed'],
      [await pay({ amount: 3 }, { _meta: { 'countersign/approval': { approved: true } } }), 'approval_malformed'],
      [await pay({ amount: 3, approved: true }), 'approval_required'],
    ] as const) {
      expect(refused.error?.data).toMatchObject({ code });
    }
    expect((await pay({ amount: 3 }, { _meta })).result).toMatchObject({ content: [{ text: 'paid' }] });
    expect((await pay({ amount: 3 }, { _meta })).error?.data).toMatchObject({ code: 'approval_used' });
    expect(running.ran.filter((name) => name.startsWith('approve_me 3'))).toEqual(['approve_me 3']);
  });

  it('it does not run at another endpoint with the same guard [C11]', async () => {
    const elsewhere = new Rpc(`${running.url}?database=production`, isModern);
    if (!isModern) await elsewhere.open(running.alice);
    const params = { name: 'approve_me', arguments: { amount: 7 } };
    const approval = await approvalOf(askIn(await pay({ amount: 7 })), authority);
    const answer = await elsewhere.call(running.alice, 'tools/call', params, { 'agent-approval': approval });
    expect(answer.error?.data).toMatchObject({ code: 'approval_mismatch' });
    expect(running.ran).not.toContain('approve_me 7');
  });

  it('a hidden tool that people approve is not told by an approval that cannot be read [E5]', async () => {
    for (const _meta of [{}, { 'countersign/approval': 'x' }]) {
      const answer = await rpc.call(running.alice, 'tools/call', { name: 'approve_hidden', arguments: {}, _meta });
      expect(answer.error).toMatchObject({ code: -32602, message: 'Tool approve_hidden not found' });
      expect(answer.error).not.toHaveProperty('data');
    }
  });

  it('it does not run with what its sender says beside the arguments later [C11]', async () => {
    const approval = await approvalOf(askIn(await pay({ amount: 8 })), authority);
    const _meta = { 'countersign/approval': approval };
    for (const more of [
      { inputResponses: { amount: { action: 'accept', content: { amount: 1e6 } } } },
      { dryRun: false },
    ]) {
      const answer = await pay({ amount: 8 }, { _meta, ...more });
      expect(answer.error?.data).toMatchObject({ code: 'approval_mismatch' });
    }
    expect(running.ran).not.toContain('approve_me 8');
  });

  it('it runs once with an approval in the field of its request [C11]', async () => {
    const approval = await approvalOf(askIn(await pay({ amount: 4 })), authority);
    const params = { name: 'approve_me', arguments: { amount: 4 } };
    const send = () => rpc.call(running.alice, 'tools/call', params, { 'agent-approval': approval });
    const answers = await Promise.all([send(), send(), send()]);
    expect(answers.filter(({ result }) => result !== undefined)).toHaveLength(1);
    expect(running.ran.filter((name) => name === 'approve_me 4')).toHaveLength(1);
  });

  it('a denial of people says why', async () => {
    const { binding } = askIn(await pay({ amount: 5 }));
    running.queued.set(binding, { status: 'denied', reason: 'too much' });
    const answer = await pay({ amount: 5 });
    expect(answer.error?.data).toMatchObject({ code: 'approval_denied', approval: { reason: 'too much' } });
  });

  it.runIf(isModern)(
    'a client that opens pages is sent to the page, and goes on with a sealed state [E7, C11]',
    async () => {
      const _meta = opensPages;
      const { result } = await pay({ amount: 6 }, { _meta });
      expect(result).toMatchObject({
        resultType: 'input_required',
        inputRequests: {
          'countersign-approval': {
            method: 'elicitation/create',
            params: { mode: 'url', url: 'https://approve.acme.dev/1', message: expect.stringContaining('approve_me') },
          },
        },
        requestState: expect.any(String),
      });
      const { requestState } = result as { readonly requestState: string };
      const answered = { _meta, requestState, inputResponses: { 'countersign-approval': { action: 'accept' } } };
      // Accepting means that the user opens the page, and not that people approved.
      expect((await pay({ amount: 6 }, answered)).result).toMatchObject({ resultType: 'input_required' });
      const { approval } = running.audit.records.findLast(({ code }) => code === 'approval_required') ?? {};
      approve({ binding: approval?.binding ?? '' } as Ask);
      // The state is for this caller and these arguments.
      expect((await pay({ amount: 600 }, answered)).error).toMatchObject({ code: -32602 });
      expect((await pay({ amount: 6 }, answered, running.mallory)).error).toMatchObject({ code: -32602 });
      expect((await pay({ amount: 6 }, answered)).result).toMatchObject({ content: [{ text: 'paid' }] });
      expect((await pay({ amount: 6 }, answered)).error?.data).toMatchObject({ code: 'approval_used' });
      expect(running.ran.filter((name) => name.startsWith('approve_me 6'))).toEqual(['approve_me 6']);
    },
  );

  it.runIf(isModern)('the client of the SDK opens the page, and repeats the call by itself', async () => {
    const client = new Client(
      { name: 'test', version: '1' },
      { capabilities: { elicitation: { url: {} } }, versionNegotiation: { mode: { pin: '2026-07-28' } } },
    );
    const opened: unknown[] = [];
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      opened.push(params);
      const { approval } = running.audit.records.findLast(({ code }) => code === 'approval_required') ?? {};
      approve({ binding: approval?.binding ?? '' } as Ask);
      return { action: 'accept' };
    });
    await client.connect(new StreamableHTTPClientTransport(new URL(running.url), { fetch: running.alice.fetch }));
    const result = await client.callTool({ name: 'approve_me', arguments: { amount: 8 } });
    await client.close();
    expect(result.content).toEqual([{ type: 'text', text: 'paid' }]);
    expect(opened).toMatchObject([{ mode: 'url', url: 'https://approve.acme.dev/1' }]);
  });

  it.runIf(host.hasSessions)('a client of 2025-11-25 that opens pages gets them in the error', async () => {
    const session = new Rpc(running.url);
    await session.open(running.alice, { elicitation: { url: {} } });
    const { error } = await session.tool(running.alice, 'approve_me', { amount: 7 });
    expect(error).toMatchObject({
      code: -32042,
      data: { code: 'approval_required', elicitations: [{ mode: 'url', url: 'https://approve.acme.dev/1' }] },
    });
  });
});
