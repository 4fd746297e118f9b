// The cost of a decision and of loading with 10 to 100,000 policies, compared with Cedar alone: evaluation of all
// policies, of the matching ones with the whole request, and loading without a reader of our own. `--most 10000` omits
// larger sets. All engines are measured in turn, so that other load slows them equally. Loading is CPU time. "Longest
// block" is the CPU time of the main thread in the longest turn of a reload (wall time where /proc does not tell it).
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { cedarFromText } from '@countersign/core';

const { values } = parseArgs({ options: { most: { type: 'string', default: '100000' } } });
const cedar = createRequire(new URL('../../packages/policy/package.json', import.meta.url))(
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

const SCHEMA =
  'entity Repo; action "pr.create" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };';

/** For Cedar alone: SCHEMA with the vocabulary that the engine adds, as far as these policies use it. */
const WHOLE_SCHEMA = `entity Role; entity User; entity Agent in [Role] = { capabilities: Set<String> };
type AgentContext = { scope: Set<String>, onBehalfOf?: User, depth: Long, via: Set<Agent>, proof: String,
  possession: String, request: { method: String, path: String } };
${SCHEMA}`;

function query(n) {
  return {
    number: n,
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

function medianOf(times) {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)];
}

function microseconds(run) {
  const start = performance.now();
  run();
  return (performance.now() - start) * 1000;
}

function median(rounds, run) {
  return medianOf(Array.from({ length: rounds }, (_, round) => microseconds(() => run(round))));
}

/** The median of each engine. The order of the engines alternates from round to round. */
function medians(engines, ask) {
  const times = engines.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (let place = 0; place < engines.length; place++) {
      const turn = round % 2 === 0 ? place : engines.length - 1 - place;
      times[turn].push(microseconds(() => ask(engines[turn], round)));
    }
  }
  return times.map(medianOf);
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

function mebibytes() {
  // An instance is collected only after the objects that refer to it.
  for (let turn = 0; turn < 3; turn++) collect();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1024 ** 2;
}

/** CPU seconds, including garbage collection. */
async function seconds(run) {
  const before = process.cpuUsage();
  await run();
  return process.cpuUsage(before).user / 1e6;
}

const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat`;

/** Milliseconds that the main thread has run. */
const ran = existsSync(SCHEDSTAT)
  ? () => Number(readFileSync(SCHEDSTAT, 'latin1').split(' ')[0]) / 1e6
  : () => performance.now();

/** The longest turn of the event loop in milliseconds while something runs. */
async function longestBlock(run) {
  let longest = 0;
  let last = ran();
  let next = setImmediate(function turn() {
    const now = ran();
    longest = Math.max(longest, now - last);
    last = now;
    next = setImmediate(turn);
  });
  await run();
  clearImmediate(next);
  return longest;
}

function wholeRequest(n) {
  return requestOf(query(n));
}

function requestOf({ principal, resource, context }) {
  return {
    principal: { type: 'Agent', id: principal.id },
    action: { type: 'Action', id: 'pr.create' },
    resource: { type: resource.type, id: resource.id },
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

/** Evaluates every policy of the set for each request: preparsed, and in one call without preparation. */
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

/** What Cedar alone takes to load a set: parse all, then describe or validate each policy. Batched, as one text is quadratic. */
async function cedarLoads(policies) {
  const batches = Array.from({ length: Math.ceil(policies.length / 200) }, (_, n) =>
    policies.slice(n * 200, n * 200 + 200).join('\n'),
  );
  return {
    parse: await seconds(() => batches.forEach((text) => accepted(cedar.policySetTextToParts(text)))),
    json: await seconds(() => policies.forEach((text) => accepted(cedar.policyToJson(text)))),
    validate: await seconds(() =>
      batches.forEach((staticPolicies) =>
        accepted(cedar.validate({ schema: WHOLE_SCHEMA, policies: { staticPolicies } })),
      ),
    ),
  };
}

function accepted(answer) {
  if (answer.type !== 'success') throw new Error(JSON.stringify(answer));
}

/** An engine without projection and cache: evaluates the one policy that matches, with the whole request. */
function matchingOnly(policyOf) {
  const ids = Array.from({ length: 10 }, (_, n) => {
    cedar.preparsePolicySet(`match${n}`, { staticPolicies: policyOf(n) });
    return `match${n}`;
  });
  return {
    decide: (asked) =>
      cedar.statefulIsAuthorized({ ...requestOf(asked), preparsedPolicySetId: ids[asked.number % 10] }).response,
  };
}

const sizes = [10, 1000, 10_000, 100_000].filter((each) => each <= Number(values.most));

/** Loads a set: with a schema only for the time, then without. */
async function loaded(policyOf, size) {
  const policies = Array.from({ length: size }, (_, n) => policyOf(n));
  const text = policies.join('\n');
  const loadValid = await seconds(() => cedarFromText({ policies: text, schema: SCHEMA }));
  const before = mebibytes();
  let engine;
  const load = await seconds(async () => {
    engine = await cedarFromText({ policies: text });
  });
  const memory = mebibytes() - before;
  // Flat texts, as files are.
  const [one, two] = [1, 2].map((more) => Buffer.from(`${text}\n${policyOf(size + more)}`).toString());
  const reload = await seconds(() => engine.replace({ policies: one }));
  const block = await longestBlock(() => engine.replace({ policies: two }));
  return { size, policies, engine, load, loadValid, reload, block, memory };
}

function allowed(engine, asked) {
  if (engine.decide(asked).decision !== 'allow') throw new Error('not allowed');
}

const rows = [];
await cedarFromText({ policies: SHAPES.agent(0) }); // compiles what all share
for (const [shape, policyOf] of Object.entries(SHAPES)) {
  const sets = [];
  for (const size of sizes) sets.push(await loaded(policyOf, size));
  const engines = sets.map(({ engine }) => engine);
  for (const engine of engines) for (let n = 0; n < 200; n++) allowed(engine, query(n));
  const cached = medians(engines, (engine, n) => allowed(engine, query(n)));
  // A different depth for each call, so that no answer comes from the cache.
  const [whole, ...call] = medians([matchingOnly(policyOf), ...engines], (engine, n) => {
    const asked = query(n);
    allowed(engine, { ...asked, context: { ...asked.context, depth: -n } });
  });
  for (const [place, { policies, engine, ...numbers }] of sets.entries()) {
    const list = Array.from({ length: 500 }, (_, n) => ({ type: 'Repo', id: `acme/list-${n}` }));
    const start = performance.now();
    await engine.decideMany(query(1), list);
    const listed = performance.now() - start;
    const { preparsed, once } = policies.length > 10_000 ? { preparsed: NaN, once: NaN } : full(policies);
    const alone = await cedarLoads(policies);
    rows.push({
      shape,
      ...numbers,
      alone,
      whole,
      call: call[place],
      cached: cached[place],
      list: listed,
      preparsed,
      once,
    });
  }
}

console.table(
  rows.map(({ shape, size, ...numbers }) => ({
    shape,
    policies: size,
    'decision µs': numbers.call.toFixed(1),
    'cached µs': numbers.cached.toFixed(1),
    'whole request µs': numbers.whole.toFixed(1),
    'all, preparsed µs': numbers.preparsed.toFixed(0),
    'all, isAuthorized µs': numbers.once.toFixed(0),
    'list of 500 ms': numbers.list.toFixed(1),
    'load CPU s': numbers.load.toFixed(2),
    'with schema CPU s': numbers.loadValid.toFixed(2),
    'reload CPU s': numbers.reload.toFixed(2),
    'longest block ms': numbers.block.toFixed(1),
    'memory MiB': numbers.memory.toFixed(0),
    'Cedar parse s': numbers.alone.parse.toFixed(2),
    'Cedar JSON s': numbers.alone.json.toFixed(2),
    'Cedar validate s': numbers.alone.validate.toFixed(2),
  })),
);
for (const shape of Object.keys(SHAPES)) {
  const of = rows.filter((row) => row.shape === shape);
  console.log(`${shape}: ${of.at(-1).size} policies cost ${(of.at(-1).call / of[0].call).toFixed(2)} × what 10 cost`);
}

const READS = `@id("reads") permit(principal, action == Action::"pr.create", resource is Repo) when {
  context has onBehalfOf && context.onBehalfOf != User::"none" && context.scope.contains("pr:write:draft")
  && context.request.path like "/repos/*" && context.depth < 3 };`;
const reader = await cedarFromText({ policies: READS });
let asked = 0;
/** CPU µs of a decision by a policy that reads user, scope and path: a hit if only those are new, else a miss. */
function bestMicros(depthOf) {
  const rounds = Array.from({ length: 30 }, () => {
    const before = process.cpuUsage();
    for (let n = 0; n < 300; n++) {
      const question = query(asked++);
      allowed(reader, { ...question, context: { ...question.context, depth: depthOf(asked) } });
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 300;
  });
  return Math.min(...rounds).toFixed(1);
}
console.log(
  `reads user, scope and path: ${bestMicros((n) => -n)} µs CPU not cached, ` +
    `${bestMicros(() => 1)} with a new user, path and resource`,
);
