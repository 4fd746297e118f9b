// The part of the page about MCP servers.
import { table } from './tables.mjs';

const NAMES = {
  bare: 'no guard',
  verified: '`agentAuth`: verified, nothing decided',
  guardTools: '`agentAuth`, `guardTools`',
  guardMcpHttp: '`agentAuth`, `guardMcpHttp`',
};

/** The best round of each server, in microseconds. */
export function bestOfMcp({ rounds }) {
  const best = (work, mode, name) => Math.round(Math.min(...rounds.map((round) => round[work][mode][name])));
  return Object.fromEntries(
    Object.keys(NAMES).map((mode) => [
      mode,
      Object.fromEntries(
        ['call', 'list'].flatMap((work) => ['cpu', 'p50'].map((name) => [`${work} ${name}`, best(work, mode, name)])),
      ),
    ]),
  );
}

export function mcpTable(mcp) {
  const best = bestOfMcp(mcp);
  const rows = Object.entries(NAMES).map(([mode, name]) => {
    const { 'call cpu': call, 'list cpu': list } = best[mode];
    const more = (value, of) => (mode === 'bare' ? '' : value - best.bare[of]);
    return [name, call, more(call, 'call cpu'), list, more(list, 'list cpu')];
  });
  return table(['SDK 2 on node:http', 'tool call, µs', 'more', 'list of 500 tools, µs', 'more'], rows);
}
