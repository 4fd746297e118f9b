// One run: starts the servers, warms them, and measures round after round.
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { startChild } from './child.mjs';
import { measurements, serverName } from './plan.mjs';

const here = import.meta.dirname;
const PEERS_ATTEMPTS = 3;
const RAW_VERIFIES = 1500;
const WARM_UP = { connections: 16, links: 0, token: 'warm' };
/** A signature is accepted for a minute. */
const WARM_UP_MILLISECONDS = 40_000;

/** The measurements, each with its rounds; CPU µs of one raw verification in each round; the peers' aborts. */
export async function runPlan(plan, folder, print) {
  const generator = startChild(join(here, 'generator.mjs'));
  const keys = await generator.ask({ task: 'keys' });
  const context = { plan, folder, keys, generator, print, aborts: [] };
  const cells = measurements(plan).map((cell) => ({ ...cell, rounds: [] }));
  const servers = await startServers(cells, context);
  const verify = [];
  for (let round = 0; round < plan.rounds; round += 1) {
    verify.push((await generator.ask({ task: 'verify', count: RAW_VERIFIES })).micros);
    // The order turns, so that no measurement always follows the same one.
    for (const cell of round % 2 === 0 ? cells : cells.toReversed()) {
      const server = servers.get(serverName(cell));
      cell.rounds.push(server ? await measure(server, cell, context) : await measurePeers(cell, round, context));
    }
    print(`round ${round + 1} of ${plan.rounds}`);
  }
  for (const server of servers.values()) await server.stop();
  await generator.stop();
  return { cells, verify, aborts: context.aborts };
}

/** The servers that live through the whole run, warm. */
async function startServers(cells, context) {
  const { plan, print } = context;
  const servers = new Map();
  for (const cell of cells) {
    const name = serverName(cell);
    if (cell.stack !== 'peers' && !servers.has(name)) servers.set(name, await startServer(cell, context));
  }
  // A guard refuses what was signed in the second in which its process began.
  await setTimeout(1500);
  const most = { count: plan.warmUp, milliseconds: WARM_UP_MILLISECONDS };
  for (const server of servers.values()) await load(server, WARM_UP, most, context);
  print(`${servers.size} servers are warm`);
  return servers;
}

async function startServer(cell, { folder, keys }) {
  const { host, stack, audit, policies, preparsed } = cell;
  const name = serverName(cell).replaceAll(/\W+/g, '-');
  const setup = { host, stack, audit, policies, preparsed, keys, folder: join(folder, name) };
  const child = startChild(join(here, 'serve.mjs'), [JSON.stringify(setup)], { quiet: stack === 'peers' });
  const { port } = await child.answer();
  return { ...child, port };
}

async function measure(server, cell, context) {
  const { requests: count, milliseconds } = context.plan;
  // A bare host answers a batch in a moment, too short to measure, and takes a request twice.
  return await load(server, cell, { count, milliseconds, repeat: cell.stack === 'bare' }, context);
}

/** CPU µs of each request, of the main thread and in total. */
async function load(server, { connections, links, token }, { count, milliseconds, repeat = false }, { generator }) {
  await generator.ask({ task: 'sign', count, links, warm: token === 'warm' });
  const before = await server.ask('cpu');
  const sent = await generator.ask({ task: 'load', port: server.port, connections, milliseconds, repeat });
  const after = await server.ask('cpu');
  const used = (thread) => (after[thread] - before[thread]) / sent.requests;
  return { main: used('main'), total: used('total'), perSecond: sent.requests / sent.seconds, ...sent };
}

/**
 * V8 aborts the peers' stack on Node 20 (docs/decisions/0002): a fresh server for each round, and another attempt after
 * an abort, with a shorter warm-up.
 */
async function measurePeers(cell, round, context) {
  const { plan, aborts } = context;
  for (let attempt = 0; attempt < PEERS_ATTEMPTS; attempt += 1) {
    const server = await startServer(cell, context);
    try {
      const count = Math.ceil(plan.peersWarmUp / 2 ** attempt);
      await load(server, cell, { count, milliseconds: plan.milliseconds }, context);
      return await measure(server, cell, context);
    } catch (error) {
      const signal = await server.died();
      if (signal === undefined) throw error;
      aborts.push({ server: serverName(cell), round, signal });
    } finally {
      await server.stop();
    }
  }
  return null;
}
