import { createHash } from 'node:crypto';
import { agentsFromObjects, type Caller, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { describe, expect, it } from 'vitest';
import { decisionsOf } from '../src/decide/decisions.js';
import type { McpSurroundings } from '../src/decide/request-meta.js';
import { type McpRules, readRules } from '../src/decide/rules.js';
import { createSeal } from '../src/decide/seal.js';
import { mcpSchema } from '../src/schema.js';

const schema = `${mcpSchema}
entity Query in [Tool, ToolGroup] = { dataset: String, limit?: Long };
entity Repo;
action "query.run" appliesTo { principal: [Agent], resource: [Query], context: AgentContext };
action "repo.push" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };
action "index.rebuild" appliesTo { principal: [Agent], resource: [Tool], context: AgentContext };`;

const policies = `
permit(principal, action in [Action::"tool.call", Action::"tool.list"], resource in ToolGroup::"read");
permit(principal, action == Action::"tool.list", resource == Tool::"deploy");
permit(principal, action == Action::"tool.call", resource == Tool::"deploy") when { context.scope.contains("deploy") };
permit(principal, action == Action::"tool.list", resource == Tool::"query");
permit(principal, action == Action::"query.run", resource) when { resource.dataset == "billing" };
permit(principal, action == Action::"repo.push", resource == Repo::"acme/api");
permit(principal, action == Action::"index.rebuild", resource == Tool::"index");
permit(principal, action in [Action::"prompt.get", Action::"prompt.list"], resource == Prompt::"open");
permit(principal, action in [Action::"resource.read", Action::"resource.list"], resource == McpResource::"file:///open");
permit(principal, action == Action::"resource.list", resource == McpResource::"file:///listed");
permit(principal, action == Action::"resource.read", resource == McpResourceTemplate::"db://{table}");
`;

const options: McpRules = {
  tools: {
    echo: {},
    wipe: {},
    deploy: { requires: 'deploy', onDeny: 'result' },
    query: { action: 'query.run', call: { type: 'Query', arguments: ['dataset', 'limit'] } },
    push: { action: 'repo.push', resource: ({ repo }) => ({ type: 'Repo', id: String(repo) }) },
    constructor: { groups: ['read'] },
  },
  methods: { 'acme/rebuild': { action: 'index.rebuild', resource: { type: 'Tool', id: 'index' } } },
};

const digest = (text: string): string => createHash('sha256').update(text).digest('base64url');

async function mcp(scope: readonly string[] = [], more: McpRules = options) {
  const audit = memoryAudit();
  const guard = await createGuard({
    origin: 'https://mcp.acme.dev',
    agents: agentsFromObjects([]),
    policy: await cedarFromText({ policies, schema }),
    audit,
    onTrouble: () => {},
  });
  const decisions = decisionsOf(guard, readRules('test', more), createSeal());
  if (more === options)
    decisions.learn('tools/list', [{ name: 'echo', annotations: { readOnlyHint: true } }, { name: 'wipe' }]);
  const alice = guard.local({ agent: 'agent-1', subject: 'alice', scope });
  const bob = guard.local({ agent: 'agent-1', subject: 'bob' });
  // As a server offers them.
  const offered: McpSurroundings = {
    list: async (method) => (method === 'tools/list' ? [] : ['open', 'secret'].map((name) => ({ name }))),
  };
  /** Answers with the JSON-RPC error code, `isError`, or `runs`. */
  async function ask(method: string, params?: unknown, caller: Caller = alice): Promise<unknown> {
    const decision = await decisions.decide(caller, { method, params }, offered);
    if (decision.ok) {
      await decision.end({ result: 'finished' });
      return 'runs';
    }
    return decision.denial.result?.['isError'] ?? decision.denial.error.code;
  }
  const call = (name: unknown, given?: unknown, caller?: Caller) =>
    ask('tools/call', { name, ...(given !== undefined && { arguments: given }) }, caller);
  return { audit, guard, decisions, alice, bob, ask, call };
}

const listed = (annotations: object) => ({
  tools: [{ name: 'sync', annotations, inputSchema: { type: 'object' } }],
});

describe('A tool call', () => {
  it('is decided by what the server says of the tool after it changed, not by a list asked for before [E14]', async () => {
    const { decisions, alice } = await mcp([], {});
    const listing = await decisions.decide(alice, { method: 'tools/list' });
    decisions.toolsChanged();
    if (listing.ok) await listing.answer(listed({ readOnlyHint: true }));
    const list: McpSurroundings['list'] = async () => listed({ destructiveHint: true }).tools;
    const call = await decisions.decide(alice, { method: 'tools/call', params: { name: 'sync' } }, { list });
    expect(call).toMatchObject({ ok: false });
  });

  it('is one decision and one outcome, with the digest of its arguments and never their values', async () => {
    const { audit, call, ask } = await mcp();
    expect(await call('echo', { text: 'hush', n: [1, { b: 2, a: 1 }] })).toBe('runs');
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await ask('tools/call', {
      name: 'echo',
      arguments: { n: [1, { a: 1, b: 2 }], text: 'hush' },
      _meta: { traceparent },
    });
    await ask('tools/call', { name: 'echo', arguments: {}, _meta: { traceparent: 'x\ny' } });
    const argumentsDigest = digest('{"n":[1,{"a":1,"b":2}],"text":"hush"}');
    expect(audit.records).toMatchObject([
      {
        phase: 'decision',
        decision: 'allow',
        action: 'tool.call',
        resource: { type: 'Tool', id: 'echo' },
        call: { method: 'tools/call', name: 'echo', argumentsDigest },
        chain: [{ id: 'alice' }, { id: 'agent-1' }],
      },
      { phase: 'outcome', outcome: { result: 'finished' }, call: { name: 'echo', argumentsDigest } },
      { call: { argumentsDigest, traceparent } },
      { call: { traceparent } },
      { phase: 'decision' },
      { phase: 'outcome' },
    ]);
    expect(audit.records[4]?.call).not.toHaveProperty('traceparent');
    expect(JSON.stringify(audit.records)).not.toContain('hush');
  });

  it('of any method is bound to what it asks for, and to nothing that differs when it is repeated [C11]', async () => {
    const { audit, ask } = await mcp();
    const digestIn = async (method: string, params?: object) => {
      expect(await ask(method, params)).toBe('runs');
      return audit.records.at(-1)?.call?.argumentsDigest;
    };
    const round = { _meta: { 'countersign/approval': 'x' }, inputResponses: {} };
    expect(await digestIn('prompts/get', { name: 'open', arguments: { a: '1' }, ...round })).toBe(digest('{"a":"1"}'));
    expect(await digestIn('prompts/get', { name: 'open' })).toBe(digest('{}'));
    const uri = 'file:///open';
    expect(await digestIn('resources/read', { uri, ...round })).toBe(digest(`{"uri":"${uri}"}`));
    expect(await digestIn('acme/rebuild', { full: true, ...round })).toBe(digest('{"full":true}'));
    expect(await digestIn('acme/rebuild')).toBe(digest('{}'));
  });

  it('names a prompt in its resource alone, where it can be redacted [F2]', async () => {
    const { audit, ask } = await mcp();
    for (const params of [{ name: 'open' }, { ref: { type: 'ref/prompt', name: 'open' } }]) {
      expect(await ask('ref' in params ? 'completion/complete' : 'prompts/get', params)).toBe('runs');
      const { resource, call } = audit.records.findLast(({ phase }) => phase === 'decision') ?? {};
      expect(resource).toEqual({ type: 'Prompt', id: 'open' });
      expect(call).not.toHaveProperty('name');
    }
  });

  it('is decided by the arguments that its rule names, whatever their type [D11]', async () => {
    const { call } = await mcp();
    expect(await call('query', { dataset: 'billing' })).toBe('runs');
    expect(await call('query', { dataset: 'billing', limit: 5, ignored: 1.5 })).toBe('runs');
    for (const given of [
      { dataset: 'payroll' },
      {},
      { dataset: 5 },
      { dataset: ['billing'] },
      { dataset: { __entity: { type: 'Query', id: 'x' } } },
      { dataset: 'billing', limit: 0.5 },
      { dataset: 'billing', limit: null },
      { dataset: 'billing', limit: 2 ** 60 },
      { dataset: 'billing', limit: [[null]] },
      JSON.parse('{"__proto__":{"dataset":"billing"}}'),
    ]) {
      expect(await call('query', given), JSON.stringify(given)).toBe(-32003);
    }
  });

  it('is decided on the resource that its arguments name, which its rule cannot change [E6]', async () => {
    const given = { repo: 'acme/api' };
    const { call, audit } = await mcp([], {
      tools: {
        push: {
          action: 'repo.push',
          resource: (mine) => {
            const id = String(mine['repo']);
            Object.assign(mine, { repo: 'changed' });
            return { type: 'Repo', id };
          },
        },
      },
    });
    expect(await call('push', given)).toBe('runs');
    expect(given).toEqual({ repo: 'acme/api' });
    expect(audit.records[0]).toMatchObject({ resource: { type: 'Repo', id: 'acme/api' } });
    expect(await call('push', { repo: 'acme/other' })).toBe(-32602);
  });

  it.each([{}, { repo: undefined }, { repo: null }, { repo: {} }])(
    'names no resource by an absent argument: %j [E6]',
    async (given) => {
      const { call, audit } = await mcp();
      expect(await call('push', given)).toBe(-32602);
      expect(audit.records[0]).toMatchObject({ decision: 'deny', detail: 'there is no such resource' });
    },
  );

  it('that may not be listed is answered like one that does not exist [E4, E5]', async () => {
    const { decisions, alice, audit } = await mcp();
    const answers = [];
    for (const name of ['wipe', 'nowhere', 'Echo', 'echo ', 'echo\u200b', '__proto__']) {
      const decision = await decisions.decide(alice, { method: 'tools/call', params: { name } });
      if (decision.ok) throw new Error(`${name} runs`);
      answers.push([
        decision.denial.error.code,
        decision.denial.error.message.replace(name, 'X'),
        decision.denial.error.data,
      ]);
    }
    expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(
      new Set([JSON.stringify([-32602, 'Tool X not found', undefined])]),
    );
    expect(audit.records).toHaveLength(6);
    expect(new Set(audit.records.map(({ decision, code }) => `${decision} ${code}`))).toEqual(
      new Set(['deny policy_denied']),
    );
  });

  it('that is undeclared is recorded with its name', async () => {
    const { call, audit } = await mcp();
    await call('undeclared');
    expect(audit.records).toMatchObject([{ decision: 'deny', call: { name: 'undeclared' } }]);
  });

  it('that may be listed says what was missing, for the model if its rule wants that', async () => {
    const { decisions, alice } = await mcp();
    const decision = await decisions.decide(alice, { method: 'tools/call', params: { name: 'deploy' } });
    expect(decision).toMatchObject({
      ok: false,
      denial: {
        missingScope: 'deploy',
        error: {
          code: -32003,
          data: { code: 'insufficient_scope', scope: 'deploy', missing: ['deploy'], action: 'tool.call' },
        },
        result: {
          isError: true,
          content: [{ text: expect.stringMatching(/^Not permitted: .* for the scope: deploy$/) }],
          _meta: { 'countersign/refusal': { code: 'insufficient_scope' } },
        },
      },
    });
    const denied = await decisions.decide(alice, {
      method: 'tools/call',
      params: { name: 'query', arguments: { dataset: 'payroll' } },
    });
    expect(denied).toMatchObject({
      denial: {
        error: {
          code: -32003,
          data: {
            code: 'policy_denied',
            action: 'query.run',
            decidedBy: ['dataset', 'limit'],
            hint: expect.stringContaining('other values may be permitted: dataset, limit'),
          },
        },
      },
    });
    expect(JSON.stringify(denied)).not.toContain('payroll');
    const scoped = await mcp(['deploy']);
    expect(await scoped.call('deploy')).toBe('runs');
  });

  it('is in the groups of its annotations and its rule: without annotations it may destroy', async () => {
    const { decisions, alice, call } = await mcp([], {});
    expect(await call('echo')).toBe(-32602);
    const listed = await decisions.decide(alice, { method: 'tools/list' });
    if (!listed.ok) throw new Error('refused');
    const tools = [
      { name: 'echo', annotations: { readOnlyHint: true } },
      { name: 'wipe' },
      { name: 'touch', annotations: { destructiveHint: false } },
      { noName: true },
      null,
    ];
    expect(await listed.answer({ tools, nextCursor: 'c' })).toEqual({
      ok: true,
      result: { tools: [tools[0]], nextCursor: 'c' },
    });
    expect(await call('echo')).toBe('runs');
    expect(await call('touch')).toBe(-32602);
    expect(await (await mcp()).call('constructor')).toBe('runs');
  });

  it.each([
    [undefined],
    [{}],
    [{ name: 5 }],
    [{ name: '' }],
    [{ name: 'x'.repeat(1025) }],
    [{ name: ['echo'] }],
    [{ name: 'echo', arguments: [] }],
    [{ name: 'echo', arguments: 'x' }],
    [['echo']],
    ['echo'],
  ])('that is malformed is refused, and recorded once: %j [E3]', async (params) => {
    const { ask, audit } = await mcp();
    expect(await ask('tools/call', params)).toBe(-32602);
    expect(audit.records).toMatchObject([{ decision: 'deny', code: 'request_malformed' }]);
  });

  it('with more arguments than are sorted in a moment is refused [E15]', async () => {
    const { decisions, alice, audit } = await mcp();
    const many = Object.fromEntries(Array.from({ length: 360_000 }, (_, n) => [String(n), 0]));
    for (const given of [many, { list: Array.from({ length: 360_000 }, () => ({})) }]) {
      const decision = await decisions.decide(alice, {
        method: 'tools/call',
        params: { name: 'echo', arguments: given },
      });
      expect(decision).toMatchObject({ ok: false, denial: { error: { code: -32602 } } });
    }
    expect(audit.records.map(({ code }) => code)).toEqual(['request_malformed', 'request_malformed']);
  });

  it.each(['{"max":1e400}', '{"max":[1,-1e400]}', '{"max":[{"of":1e400}]}'])(
    'with the infinite number in %s, whose digest would be that of null, is refused [C11]',
    async (given) => {
      const { call, audit } = await mcp();
      expect(await call('echo', JSON.parse(given))).toBe(-32602);
      expect(audit.records).toMatchObject([{ decision: 'deny', code: 'request_malformed' }]);
    },
  );

  it('with arguments that are nested too deep is refused', async () => {
    const { call, audit } = await mcp();
    expect(await call('echo', JSON.parse(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`))).toBe(-32602);
    expect(audit.records).toMatchObject([{ decision: 'deny', code: 'request_malformed' }]);
  });
});

describe('Other requests', () => {
  it('open ones are not decided; unknown ones are refused', async () => {
    const { ask, audit } = await mcp();
    for (const method of ['initialize', 'ping', 'server/discover', 'logging/setLevel']) {
      expect(await ask(method)).toBe('runs');
    }
    expect(audit.records).toEqual([]);
    expect(await ask('acme/rebuild')).toBe('runs');
    expect(await ask('acme/other')).toBe(-32601);
    expect(await ask('tools/Call', { name: 'echo' })).toBe(-32601);
    expect(audit.records.at(-1)).toMatchObject({ code: 'route_unmapped', call: { method: 'tools/Call' } });
  });

  it.each([
    ['resources/read', { uri: 'file:///open' }, 'runs'],
    ['resources/subscribe', { uri: 'file:///open' }, 'runs'],
    ['resources/read', { uri: 'file:///a/../secret' }, -32602],
    ['resources/read', { uri: 'FILE:///a/../open' }, -32602],
    ['resources/read', { uri: 'file://localhost/open' }, -32602],
    ['resources/read', { uri: 'file:///listed' }, -32003],
    ['resources/read', { uri: 'no uri' }, -32602],
    ['resources/unsubscribe', { uri: 'file:///secret' }, -32602],
    ['subscriptions/listen', { notifications: { resourceSubscriptions: ['file:///open'] } }, 'runs'],
    ['subscriptions/listen', { notifications: { toolsListChanged: true } }, 'runs'],
    ['subscriptions/listen', { notifications: { resourceSubscriptions: ['file:///open', 'file:///secret'] } }, -32602],
    ['subscriptions/listen', { notifications: { resourceSubscriptions: 'file:///open' } }, -32602],
    ['subscriptions/listen', { notifications: { resourceSubscription: ['file:///secret'] } }, -32602],
    ['subscriptions/listen', { notifications: { taskIds: ['t1'] } }, -32602],
    ['subscriptions/listen', { notifications: { taskIds: 't1' } }, -32602],
    ['subscriptions/listen', { notifications: { taskIds: [5] } }, -32602],
    ['subscriptions/listen', { notifications: [] }, -32602],
    ['subscriptions/listen', { notifications: { taskIds: Array.from({ length: 101 }, () => 't') } }, -32602],
    ['prompts/get', { name: 'Open' }, -32602],
    ['prompts/get', { name: 'open' }, 'runs'],
    ['prompts/get', { name: 'secret' }, -32602],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'open' } }, 'runs'],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'secret' } }, -32602],
    ['completion/complete', { ref: { type: 'ref/resource', uri: 'db://{table}' } }, 'runs'],
    ['completion/complete', { ref: { type: 'ref/resource', uri: 'db://{other}' } }, -32602],
    ['completion/complete', {}, -32602],
  ])('%s %j: %s', async (method, params, expected) => {
    expect(await (await mcp()).ask(method, params)).toBe(expected);
  });

  it('leaves the URI of a completion to the resource of the record, which is redacted', async () => {
    const { ask, audit } = await mcp();
    await ask('completion/complete', { ref: { type: 'ref/resource', uri: 'db://{table}' } });
    expect(audit.records[0]).toMatchObject({ resource: { id: 'db://{table}' } });
    expect(audit.records.map(({ call }) => call?.name)).toStrictEqual([undefined, undefined]);
  });

  it('lists show what the caller may list, and are not for shared caches [E5]', async () => {
    const { decisions, alice, audit } = await mcp();
    const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
    const echo = { name: 'echo', annotations: { readOnlyHint: true } };
    const results = {
      'tools/list': { tools: [echo, ...['wipe', 'deploy', 'undeclared'].map((name) => ({ name }))] },
      'prompts/list': { prompts: [{ name: 'secret' }, { name: 'open' }] },
      'resources/list': { resources: ['file:///secret', 'file:///x/../open', 'no uri'].map((uri) => ({ uri })) },
      'resources/templates/list': { resourceTemplates: [{ uriTemplate: 'db://{table}' }] },
    };
    const shown = [];
    for (const [method, result] of Object.entries(results)) {
      const decision = await decisions.decide(alice, { method, params: { _meta } });
      if (!decision.ok) throw new Error('refused');
      shown.push(await decision.answer({ ...result, cacheScope: 'public', ttlMs: 5 }));
      await decision.end({ result: 'finished' });
    }
    const rest = { cacheScope: 'private', ttlMs: 5 };
    expect(shown).toEqual([
      { ok: true, result: { tools: [echo, { name: 'deploy' }], ...rest } },
      { ok: true, result: { prompts: [{ name: 'open' }], ...rest } },
      { ok: true, result: { resources: [{ uri: 'file:///x/../open' }], ...rest } },
      { ok: true, result: { resourceTemplates: [], ...rest } },
    ]);
    expect(audit.records[0]).toMatchObject({ filtered: { asked: 3, permitted: 2 }, call: { method: 'tools/list' } });
    expect(await decisions.filterUnasked(alice, results['tools/list'])).toEqual({
      ok: true,
      result: { tools: [echo, { name: 'deploy' }] },
    });
  });

  it.each([
    ['2025-11-25', { task: { taskId: 't1' } }],
    ['2026-07-28', { resultType: 'task', taskId: 't1' }],
  ])('tasks of revision %s belong to the caller who began them [E7]', async (_revision, announcement) => {
    const { decisions, alice, bob, ask } = await mcp();
    const decision = await decisions.decide(alice, { method: 'tools/call', params: { name: 'echo' } });
    if (!decision.ok) throw new Error('refused');
    await decision.answer(announcement);
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel']) {
      expect(await ask(method, { taskId: 't1' })).toBe('runs');
      expect(await ask(method, { taskId: 't1' }, bob)).toBe(-32602);
      expect(await ask(method, { taskId: 't2' })).toBe(-32602);
    }
    const listen = { notifications: { taskIds: ['t1'] } };
    expect(await ask('subscriptions/listen', listen)).toBe('runs');
    expect(await ask('subscriptions/listen', listen, bob)).toBe(-32602);
    for (const [caller, ids] of [
      [alice, ['t1']],
      [bob, []],
    ] as const) {
      const list = await decisions.decide(caller, { method: 'tasks/list' });
      if (!list.ok) throw new Error('refused');
      expect(await list.answer({ tasks: [{ taskId: 't1' }, { taskId: 't2' }] })).toEqual({
        ok: true,
        result: { tasks: ids.map((taskId) => ({ taskId })) },
      });
    }
  });

  it('what is done with a task is decided as its tool is listed, with its scope, and recorded [E7, E11]', async () => {
    const { decisions, audit, guard, ask } = await mcp();
    const [strong, weak] = [['deploy'], []].map((scope) => guard.local({ agent: 'agent-1', subject: 'alice', scope }));
    const begun = await decisions.decide(strong!, { method: 'tools/call', params: { name: 'deploy' } });
    if (!begun.ok) throw new Error('refused');
    await begun.answer({ task: { taskId: 't1' } });
    await begun.end({ result: 'finished' });
    const before = audit.records.length;
    expect(await ask('tasks/cancel', { taskId: 't1' }, strong)).toBe('runs');
    expect(await ask('tasks/cancel', { taskId: 't1' }, weak)).toBe(-32003);
    expect(audit.records.slice(before)).toMatchObject([
      { decision: 'allow', action: 'tool.list', resource: { id: 'deploy' }, call: { method: 'tasks/cancel' } },
      { phase: 'outcome', call: { method: 'tasks/cancel' } },
      { decision: 'deny', code: 'insufficient_scope', call: { method: 'tasks/cancel' } },
    ]);
  });

  it('items without a name are in no list, and break none [E5]', async () => {
    const { decisions, alice } = await mcp();
    for (const [method, member] of [
      ['tools/list', 'tools'],
      ['prompts/list', 'prompts'],
      ['resources/templates/list', 'resourceTemplates'],
    ] as const) {
      const list = await decisions.decide(alice, { method });
      if (!list.ok) throw new Error('refused');
      const answer = await list.answer({ [member]: [{ name: '', uriTemplate: '' }] });
      expect(answer).toMatchObject({ ok: true, result: { [member]: [] } });
    }
  });

  it('a hidden tool is not told by a resource that cannot be determined [E5]', async () => {
    const push = { action: 'repo.push', resource: () => ({ type: 'Repo', id: '' }) };
    const { decisions, alice } = await mcp([], { tools: { push } });
    const params = { name: 'push', arguments: {} };
    expect(await decisions.decide(alice, { method: 'tools/call', params })).toMatchObject({
      ok: false,
      denial: { error: { code: -32602, message: 'Tool push not found' } },
    });
  });

  it('a state counts only at the server that gave it away [E7]', async () => {
    const { decisions, alice } = await mcp();
    const method = 'tools/call';
    const name = 'echo';
    const asked = await decisions.decide(alice, { method, params: { name } }, { endpoint: 'staging' });
    if (!asked.ok) throw new Error('refused');
    const answer = await asked.answer({ requestState: 'confirmed' });
    const { requestState } = (answer as unknown as { result: { requestState: string } }).result;
    const again = { method, params: { name, requestState } };
    for (const elsewhere of [{ endpoint: 'production' }, {}]) {
      expect(await decisions.decide(alice, again, elsewhere)).toMatchObject({ ok: false });
    }
    const going = await decisions.decide(alice, again, { endpoint: 'staging' });
    expect(going).toMatchObject({ ok: true, requestState: 'confirmed' });
  });

  it('a hidden tool takes the time of one that does not exist, for which the server lists [E5]', async () => {
    for (const name of ['wipe', 'nowhere']) {
      const { decisions, alice } = await mcp([], {});
      decisions.learn('tools/list', [{ name: 'wipe' }]);
      const asked: string[] = [];
      const list = async (method: string) => (asked.push(method), []);
      const decision = await decisions.decide(alice, { method: 'tools/call', params: { name } }, { list });
      expect([decision.ok, asked]).toEqual([false, ['tools/list']]);
    }
  });

  it('a result that looks like a list teaches nothing [E14]', async () => {
    const { decisions, alice, call } = await mcp([], {});
    const listed = { tools: [{ name: 'other' }] };
    const list = await decisions.decide(alice, { method: 'tools/list' });
    if (!list.ok) throw new Error('refused');
    await list.answer(listed);
    expect(await call('other')).toBe(-32602);
    const forged = { tools: [{ name: 'echo', annotations: { readOnlyHint: true } }, { name: 'Deploy' }] };
    const other = await decisions.decide(alice, { method: 'ping' });
    if (!other.ok) throw new Error('refused');
    await other.answer(forged);
    await decisions.filterUnasked(alice, forged);
    expect(await call('echo')).toBe(-32602);
    await list.answer({ tools: [{ name: 'echo', annotations: { readOnlyHint: true } }] });
    expect(await call('echo')).toBe('runs');
  });

  it('what a caller read is for no shared cache [E13]', async () => {
    const { decisions, alice } = await mcp();
    const request = { method: 'resources/read', params: { uri: 'file:///open' } };
    const read = { contents: [], cacheScope: 'public' };
    for (const [isModern, cacheScope] of [
      [true, 'private'],
      [false, 'public'],
    ] as const) {
      const decision = await decisions.decide(alice, request, { isModern });
      if (!decision.ok) throw new Error('refused');
      expect(await decision.answer(read)).toEqual({ ok: true, result: { contents: [], cacheScope } });
    }
  });

  it('no state goes out or on for a call that holds more than can be told from other calls [E7]', async () => {
    const { decisions, alice } = await mcp();
    // Few enough to be decided, and with what stands around them too many for a digest.
    const padding = Object.fromEntries(Array.from({ length: 19_997 }, (_, at) => [`p${at}`, 1]));
    const decide = (amount: number, more: object = {}) =>
      decisions.decide(alice, {
        method: 'tools/call',
        params: { name: 'echo', arguments: { amount, ...padding }, ...more },
      });
    const first = await decide(1);
    const answer = first.ok ? await first.answer({ resultType: 'input_required', requestState: 'payee=7' }) : first;
    expect(answer).toEqual({ ok: true, result: { resultType: 'input_required' } });
    expect(await decide(1_000_000, { requestState: 'payee=7' })).toMatchObject({ ok: false });
  });

  it('the state of a server is good for the same caller and call, and for nothing else [E7]', async () => {
    const { decisions, alice, bob, audit } = await mcp();
    const params = { name: 'echo', arguments: { amount: 5 } };
    const decide = (caller: Caller, more: object, method = 'tools/call') =>
      decisions.decide(caller, { method, params: { ...params, ...more } });
    const first = await decide(alice, {});
    if (!first.ok) throw new Error('refused');
    const answer = await first.answer({ resultType: 'input_required', requestState: 'payee=7' });
    const { requestState } = (answer.ok ? answer.result : {}) as { requestState: string };
    expect(requestState).not.toBe('payee=7');
    expect(await decide(alice, { requestState })).toMatchObject({ ok: true, requestState: 'payee=7' });
    expect(await decide(alice, {})).toMatchObject({ ok: true, requestState: undefined });
    const records = audit.records.length;
    const foreign = [
      decide(bob, { requestState }),
      decide(alice, { requestState, name: 'query' }),
      decide(alice, { requestState, arguments: { amount: 500 } }),
      decide(alice, { requestState, record: '2' }),
      decide(alice, { requestState }, 'prompts/get'),
      decide(alice, { requestState: 'payee=7' }),
      decide(alice, { requestState: `${requestState}x` }),
      decide(alice, { requestState: [requestState] }),
      decide(alice, { requestState: null }),
    ];
    for (const decision of await Promise.all(foreign)) {
      expect(decision).toMatchObject({ ok: false, denial: { error: { code: -32602 } } });
    }
    expect(audit.records.slice(records).every(({ decision }) => decision === 'deny')).toBe(true);
  });

  it('fields that disagree with the message are refused, and recorded [E1]', async () => {
    const { decisions, alice, audit } = await mcp();
    const headers = new Headers({ 'mcp-name': 'wipe' });
    const decision = await decisions.decide(alice, { method: 'tools/call', params: { name: 'echo' } }, { headers });
    expect(decision).toMatchObject({ ok: false, denial: { error: { code: -32020 } } });
    expect(audit.records).toMatchObject([{ decision: 'deny', code: 'request_malformed', call: { name: 'echo' } }]);
  });

  it('a hidden tool is like an absent one, whatever the fields and the state of the request [E5]', async () => {
    const { decisions, alice, audit } = await mcp([], {});
    const inputSchema = { properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } };
    const list = async () => [{ name: 'hidden', inputSchema }];
    const ask = (params: object, headers: Record<string, string>) =>
      decisions.decide(alice, { method: 'tools/call', params }, { list, headers: new Headers(headers) });
    for (const [more, headers] of [
      [{ arguments: { note: 'x' } }, { 'mcp-param-region': 'x' }],
      [{}, { 'mcp-param-other': 'x' }],
      [{ requestState: 'forged' }, {}],
    ] as const) {
      const answers = [];
      for (const name of ['hidden', 'absent']) {
        const decision = await ask({ ...more, name }, headers);
        answers.push(JSON.stringify(decision).replaceAll(name, 'NAME'));
      }
      expect(answers[0]).toBe(answers[1]);
      expect(answers[0]).toContain('"code":-32602');
    }
    expect(audit.records.map(({ code }) => code)).toEqual(Array.from({ length: 6 }, () => 'policy_denied'));
  });

  it('a field is compared with the argument that a declared tool names, also before anybody listed it [E1]', async () => {
    const { decisions, alice } = await mcp([], { tools: { echo: { annotations: { readOnlyHint: true } } } });
    const inputSchema = { properties: { dataset: { type: 'string', 'x-mcp-header': 'Dataset' } } };
    const ask = (dataset: string, list: McpSurroundings['list']) => {
      const params = { name: 'echo', arguments: { dataset: 'payroll', note: 'orders' } };
      const headers = new Headers({ 'mcp-param-dataset': dataset });
      return decisions.decide(alice, { method: 'tools/call', params }, { headers, ...(list && { list }) });
    };
    const failing = await ask('orders', async () => undefined);
    expect(failing).toMatchObject({ ok: false, denial: { error: { code: -32603 } } });
    const listing = async () => [{ name: 'echo', inputSchema }];
    expect(await ask('orders', listing)).toMatchObject({ ok: false, denial: { error: { code: -32020 } } });
    expect(await ask('payroll', listing)).toMatchObject({ ok: true });
  });

  it('a caller who was revoked gets nothing of tasks, nor of the protocol [E11]', async () => {
    const { decisions, alice, audit, guard } = await mcp();
    const begun = await decisions.decide(alice, { method: 'tools/call', params: { name: 'echo', arguments: {} } });
    if (!begun.ok) throw new Error('refused');
    await begun.answer({ task: { taskId: 't' } });
    await begun.end({ result: 'finished' });
    expect(await decisions.decide(alice, { method: 'tasks/get', params: { taskId: 't' } })).toMatchObject({ ok: true });
    guard.revocations.revoke({ agent: 'agent-1' });
    const before = audit.records.length;
    const methods = ['tasks/get', 'tasks/result', 'tasks/cancel', 'tasks/update', 'tasks/list', 'initialize', 'ping'];
    for (const method of methods) {
      expect(await decisions.decide(alice, { method, params: { taskId: 't' } })).toMatchObject({
        ok: false,
        denial: { error: { code: -32001 } },
      });
    }
    expect(audit.records.slice(before).map(({ decision }) => decision)).toEqual(methods.map(() => 'deny'));
  });

  it('a request that is related to the task of another caller is refused [E11]', async () => {
    const { decisions, alice, bob, audit } = await mcp();
    const params = { name: 'echo', arguments: {} };
    const begun = await decisions.decide(alice, { method: 'tools/call', params });
    if (!begun.ok) throw new Error('refused');
    await begun.answer({ task: { taskId: 'of-alice' } });
    const related = (caller: Caller, _meta: object, method = 'tools/call') =>
      decisions.decide(caller, { method, params: { ...params, _meta } });
    const key = 'io.modelcontextprotocol/related-task';
    expect(await related(alice, { [key]: { taskId: 'of-alice' } })).toMatchObject({ ok: true });
    for (const decision of [
      await related(bob, { [key]: { taskId: 'of-alice' } }),
      await related(bob, { [key]: { taskId: 'of-alice' } }, 'ping'),
      await related(bob, { [key]: { taskId: 'of-alice' } }, 'tools/list'),
      await related(bob, { [key.toUpperCase()]: { taskId: 'of-alice' } }),
      await related(alice, { [key]: { taskId: 'of-alice', TaskId: 'of-bob' } }),
      await related(alice, { [key]: 'of-alice' }),
      await related(alice, { [key]: null }),
    ]) {
      expect(decision).toMatchObject({ ok: false, denial: { error: { code: -32602, message: 'Task not found' } } });
    }
    expect(audit.records.filter(({ decision }) => decision === 'deny')).toHaveLength(7);
  });

  it('an outage of ours is an internal error, and shows no list', async () => {
    const audit = { write: () => Promise.reject(new Error('disk full')) };
    const policy = await cedarFromText({ policies, schema });
    const agents = agentsFromObjects([]);
    const guard = await createGuard({ origin: 'https://mcp.acme.dev', agents, policy, audit, onTrouble: () => {} });
    const decisions = decisionsOf(guard, readRules('test', options));
    decisions.learn('tools/list', [{ name: 'echo', annotations: { readOnlyHint: true } }]);
    const caller = guard.local({ agent: 'agent-1' });
    for (const params of [{ name: 'echo' }, { name: 'wipe' }, { name: 5 }]) {
      expect(await decisions.decide(caller, { method: 'tools/call', params })).toMatchObject({
        ok: false,
        denial: { error: { code: -32603, data: { code: 'audit_unavailable' } } },
      });
    }
    const list = await decisions.decide(caller, { method: 'tools/list' });
    if (!list.ok) throw new Error('refused');
    expect(await list.answer({ tools: [{ name: 'echo' }] })).toMatchObject({ ok: false });
  });
});

describe('Rules', () => {
  it.each<[McpRules, string]>([
    [{ tools: { a: { actoin: 'x' } as never } }, "Did you mean 'action'"],
    [{ tools: { a: { resource: {} as never } } }, "'resource' must be a function"],
    [{ tools: { a: { resource: () => undefined, call: { type: 'A', arguments: [] } } } }, 'not both'],
    [{ tools: { a: { call: { type: 'A' } as never } } }, "arguments: ['dataset']"],
    [{ tools: { a: { onDeny: 'throw' as never } } }, "'onDeny'"],
    [{ tools: { a: { groups: 'read' as never } } }, "'groups'"],
    [{ tools: { a: { requires: 5 as never } } }, "'requires'"],
    [{ methods: { 'acme/x': {} as never } }, "'action' is missing"],
    [{ methods: { 'acme/x': { action: 'x' } as never } }, "'resource' is missing"],
  ])('%j are wrong', (rules, message) => {
    expect(() => readRules('test', rules)).toThrow(message);
  });
});
