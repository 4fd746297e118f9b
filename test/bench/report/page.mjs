// The page of docs/ and its plots, from the results of one run and one soak.
import { authorityTable, startSentence } from './authority.mjs';
import { FEW, HOSTS, reader } from './cells.mjs';
import { losses } from './losses.mjs';
import { mcpTable } from './mcp.mjs';
import { soakChart, soakTable } from './soak.mjs';
import { startAim, startTable } from './startup.mjs';
import { best } from './statistics.mjs';
import { barChart, lineChart, logTicks } from './svg.mjs';
import { aimsTable, chainsTable, hostsTable, peersTable, table } from './tables.mjs';

/** A guard's cost still falls noticeably during so many requests. */
const WARM = 5000;

/** Texts by their path in docs/. */
export function renderPages(result, soak, startup, mcp, authority) {
  const run = reader(result);
  return {
    'benchmarks.md': page({ result, soak, startup, mcp, authority, run }),
    'benchmarks/hosts.svg': hostsChart(run),
    'benchmarks/policies.svg': policiesChart(run),
    'benchmarks/soak.svg': soakChart(soak),
  };
}

function hostsChart(run) {
  return barChart({
    title: 'CPU of the main thread, µs per request, 16 connections',
    names: ['bare', 'guarded'],
    groups: HOSTS.map((host) => ({
      label: host,
      values: [run.bare(host), run.guarded(host)].map((cell) => best(cell, 'main')),
    })),
  });
}

function policiesChart(run) {
  const line = (name, cellOf) => ({
    name,
    points: run.sizes
      .map((size) => [size, best(cellOf(size), 'total')])
      .filter(([, micros]) => Number.isFinite(micros)),
  });
  const lines = [
    line('Countersign', (size) => run.ours(size, 'group')),
    line('libraries', (size) => run.peers(size, false)),
    line('libraries, preparsed', (size) => run.peers(size, true)),
  ];
  const micros = lines.flatMap(({ points }) => points.map(([, value]) => value));
  const axes = { log: true, xTicks: logTicks(run.sizes), yTicks: logTicks(micros), xLabel: 'policies' };
  return lineChart({ title: 'CPU of all threads, µs per request, Express', lines, ...axes });
}

const page = ({ result, soak, startup, mcp, authority, run }) => `# Benchmarks

What a guarded request costs, measured on one machine. \`test/bench/report.mjs\` generates this page from the results in \`test/bench/results\`: run it again instead of editing the page.

* **CPU per request** is what counts. The main thread limits the requests per second of one process; the CPU of all threads is what you pay for.
* Absolute numbers belong to the machine. Ratios are taken within each round, so that they carry over. Each ratio is the median of the rounds, each time the best of them.
* ${loadSentence(result, run)}

## Guarded and bare, on each host

A signed \`POST\` with a body of 43 bytes and a warm token, ${FEW} policies, and two records on disk for each request.

${hostsTable(run)}

"Check, in verifications" is the CPU that the guard adds, divided by one raw Ed25519 verification (${Math.round(run.rawVerify)} µs).

![CPU of the main thread for each host](benchmarks/hosts.svg)

## Beside libraries

A stack that a team might build on Express: \`http-message-signatures\`, \`jose\` and Cedar. It calls \`isAuthorized\` with the text of the policies, or \`statefulIsAuthorized\` with preparsed ones. It does **less**: it checks no body digest, no replay and no audience, and its log is neither durable nor chained. CPU µs of all threads, 16 connections:

${peersTable(run)}

![CPU by number of policies](benchmarks/policies.svg)

${abortSentence(result)}

## Chains and tokens

Express, ${FEW} policies, 16 connections. Each link is a delegation that an agent signed itself. *Warm*: the guard has seen the token and the links. *Cold*: each request has new ones.

${chainsTable(run)}

## Start

From the start of the process until it listens, with the published packages, agents and ${FEW} policies with a schema in files, and a log on disk; the best of ${startup.rounds.length} starts, at a load average of ${startup.machine.load.toFixed(1)}.

${startTable(startup)}

Most of the difference is V8's: it compiles the parts of Cedar that read and validate policies when they run first.

## MCP servers

CPU of all threads, µs per request: one decided tool call of ten tools, and a list of 500 tools for one caller, who may see half of them. Each request is signed, and leaves two records on disk. The best of ${mcp.rounds.length} rounds, at a load average of ${mcp.machine.load.toFixed(1)}.

${mcpTable(mcp)}

The SDK creates a server for each request, so that a list of 500 tools costs much without a guard too.

## The authority

Tokens at ${authority.connections} connections, of one process beside its clients, each token recorded on disk before it is answered; and the CPU of all its threads for one, without that of Postgres. The best of ${authority.rounds.length} rounds, at a load average of ${authority.machine.load.toFixed(1)}.${busySentence(authority)}

${authorityTable(authority)}

${startSentence(authority)}

## Where we lose

${losses(run, soak)
  .map((loss) => `* ${loss}`)
  .join('\n')}

## Aims

${aimsTable(run, [startAim(startup)])}

[Decision 38](decisions/0038-what-a-request-waits-for.md) shows by a profile where the time goes, and why aims are missed.

## Soak

${soakSentence(soak)}

${soakTable(soak)}

![Memory during the soak](benchmarks/soak.svg)

The replay store remembers each nonce for about a minute, and the cache of tokens fills up to 10,000: memory grows until then. A measure *grows* if its last quarter exceeds the third by more than a tenth and a little slack.

## Machine and versions

${machineTable(result, soak, startup, mcp, authority)}

## Repeat it

On Linux, on a quiet machine with a real disk:

\`\`\`sh
pnpm bench:host --json test/bench/results/host.json     # about 15 minutes; --quick: about 2
pnpm soak --minutes 10 --json test/bench/results/soak.json
pnpm bench:startup --json test/bench/results/startup.json
pnpm bench:mcp --json test/bench/results/mcp.json
pnpm bench:authority --json test/bench/results/authority.json
pnpm bench:report
\`\`\`

The servers and the load generator are processes of their own. The generator signs a batch, then sends it over kept-alive connections with one request in flight on each. A measurement ends after ${result.plan.requests} requests or ${result.plan.milliseconds / 1000} s; that of a bare host after the time. \`pnpm bench\` also measures the parts: signatures, policies, lists, chains, uploads, the log and refusals.
`;

function busySentence({ machine }) {
  return machine.load > machine.cores / 4 ? ' **The machine was busy: on a quiet one, it issues more.**' : '';
}

function loadSentence({ machine, plan }, run) {
  const load = `load average ${machine.load.toFixed(1)} on ${machine.cores} cores at the start`;
  const busy = machine.load > machine.cores / 2;
  return (
    `This run had ${plan.rounds} rounds; ${load}. ` +
    (busy ? '**The machine was busy, so that every time is too high.** ' : '') +
    (plan.warmUp < WARM ? '**It was a quick run:** guards were hardly warm, and cost more than in a full one. ' : '') +
    `From round to round, the ratio of bare to guarded differed by up to ${Math.round(100 * run.spread())} %.`
  );
}

function abortSentence({ aborts, plan }) {
  const why = 'V8 can abort this stack on Node 20 ([decision 2](decisions/0002-cedar-hazards.md))';
  const warmUp = `so each round has a fresh server with a warm-up of at most ${plan.peersWarmUp} requests, where ours had ${plan.warmUp}. This favours us.`;
  return `${why}, ${warmUp} Aborts in this run: ${aborts.length}.`;
}

function soakSentence({ minutes, rate, requests, changes, unexpected }) {
  const { rotations, revocations, reloads } = changes;
  const refused = unexpected.reduce((sum, [, count]) => sum + count, 0);
  return (
    `${minutes} minutes at ${rate} requests/s on Express: ${requests.toLocaleString('en-US')} requests, one in ten with a new token. ` +
    `Meanwhile ${rotations} key rotations, ${revocations} revocations and ${reloads} policy reloads took effect. ` +
    `After each rotation and revocation, a request with the old key or token was refused. Good requests refused: ${refused}.`
  );
}

function machineTable({ machine }, soak, startup, mcp, authority) {
  const versions = Object.entries(machine.versions).map(([name, version]) => [`\`${name}\``, version]);
  return table(
    ['', ''],
    [
      ['processor', `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB`],
      ['system', machine.system],
      ['Node', machine.node],
      [
        'commit',
        `${machine.commit}; of the soak: ${soak.machine.commit}; of the start: ${startup.machine.commit}; of MCP: ${mcp.machine.commit}; of the authority: ${authority.machine.commit}`,
      ],
      ['date', machine.date.slice(0, 10)],
      ...versions,
    ],
  );
}
