// What a decision costs with 10 to 100,000 policies, beside evaluating all of them; what loading costs. `--most 10000`
// leaves out the larger sets.
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { cedarFromText } from '@countersign/core';

const { values } = parseArgs({ options: { most: { type: 'string', default: '100000' } } });
const cedar = createRequire(new URL('../../packages/core/package.json', import.meta.url))(
  '@cedar-policy/cedar-wasm/nodejs',
);

const ROUNDS = 2000;
const condition = 'when { context.scope.contains("pr:write:draft") && context.depth < 3 }';
const SHAPES = {
  agent: (n) =>
    `@id("p${n}") permit(principal == Agent::"agent-${n}", action == Action::"pr.create", resource is Repo) ${condition};`,
  role: (n) =>
    `@id("p${n}") permit(principal in Role::"role-${n}", action == Action::"pr.create", resource is Repo) ${condition};`,
};

function query(n) {
  return {
    principal: { id: `agent-${n % 10}`, roles: [`role-${n % 10}`], capabilities: ['pr:write'] },
    action: 'pr.create',
    resource: { type: 'Repo', id: `acme/${n}` },
    context: {
      scope: ['pr:write:draft'],
      onBehalfOf: `user-${n}`,
      depth: 1,
      via: [],
      proof: 'issuer',
      possession: 'signature',
      request: { method: 'POST', path: `/repos/acme/${n}/pulls` },
    },
  };
}

function median(rounds, run) {
  const times = Array.from({ length: rounds }, (_, round) => {
    const start = performance.now();
    run(round);
    return (performance.now() - start) * 1000;
  });
  return times.toSorted((a, b) => a - b)[Math.floor(rounds / 2)];
}

function wholeRequest(n) {
  const { principal, resource, context } = query(n);
  return {
    principal: { type: 'Agent', id: principal.id },
    action: { type: 'Action', id: 'pr.create' },
    resource,
    context: { ...context, onBehalfOf: { __entity: { type: 'User', id: context.onBehalfOf } } },
    entities: [
      {
        uid: { type: 'Agent', id: principal.id },
        attrs: { capabilities: principal.capabilities },
        parents: principal.roles.map((id) => ({ type: 'Role', id })),
      },
    ],
  };
}

/** Every policy of the set for each request: preparsed, and as one call without any preparation. */
function full(policies) {
  cedar.preparsePolicySet('all', { staticPolicies: policies.join('\n') });
  const rounds = Math.max(5, Math.min(200, 20_000 / policies.length));
  const preparsed = median(Math.floor(rounds), (n) =>
    cedar.statefulIsAuthorized({ ...wholeRequest(n), preparsedPolicySetId: 'all' }),
  );
  const staticPolicies = policies.join('\n');
  const once = median(3, (n) => cedar.isAuthorized({ ...wholeRequest(n), policies: { staticPolicies } }));
  return { preparsed, once };
}

const rows = [];
for (const [shape, policyOf] of Object.entries(SHAPES)) {
  for (const size of [10, 1000, 10_000, 100_000].filter((each) => each <= Number(values.most))) {
    const policies = Array.from({ length: size }, (_, n) => policyOf(n));
    const before = process.memoryUsage().rss;
    let start = performance.now();
    const engine = await cedarFromText({ policies: policies.join('\n') });
    const load = performance.now() - start;
    const memory = (process.memoryUsage().rss - before) / 1024 ** 2;
    for (let n = 0; n < 200; n++) if (engine.decide(query(n)).decision !== 'allow') throw new Error('not allowed');
    const memo = median(ROUNDS, (n) => engine.decide(query(n)));
    // A depth of its own for each call: nothing is remembered.
    const call = median(ROUNDS, (n) => {
      const asked = query(n);
      engine.decide({ ...asked, context: { ...asked.context, depth: -n } });
    });
    start = performance.now();
    await engine.decideMany(
      query(1),
      Array.from({ length: 500 }, (_, n) => ({ type: 'Repo', id: `acme/list-${n}` })),
    );
    const list = performance.now() - start;
    start = performance.now();
    engine.replace({ policies: [...policies, policyOf(size)].join('\n') });
    const reload = performance.now() - start;
    const { preparsed, once } = size > 10_000 ? { preparsed: NaN, once: NaN } : full(policies);
    rows.push({ shape, size, call, memo, preparsed, once, list, load, reload, memory });
  }
}

console.table(
  rows.map(({ shape, size, ...numbers }) => ({
    shape,
    policies: size,
    'decision µs': numbers.call.toFixed(1),
    'remembered µs': numbers.memo.toFixed(1),
    'all, preparsed µs': numbers.preparsed.toFixed(0),
    'all, isAuthorized µs': numbers.once.toFixed(0),
    'list of 500 ms': numbers.list.toFixed(1),
    'load ms': numbers.load.toFixed(0),
    'reload ms': numbers.reload.toFixed(0),
    'memory MiB': numbers.memory.toFixed(0),
  })),
);
for (const shape of Object.keys(SHAPES)) {
  const of = rows.filter((row) => row.shape === shape);
  console.log(`${shape}: ${of.at(-1).size} policies cost ${(of.at(-1).call / of[0].call).toFixed(2)} × what 10 do`);
}
