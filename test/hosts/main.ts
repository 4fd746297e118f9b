import { parseArgs } from 'node:util';
import { readConfig } from './config.js';
import { firstSecondIsOver } from './first-second.js';
import { startHost } from './host.js';
import { hosts as ofAdapters, nestHosts } from './hosts.js';

const hosts = [...ofAdapters, ...nestHosts];

const usage = `usage: host <${hosts.map(({ name }) => name).join('|')}> --config FILE [--port 0]`;

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { config: { type: 'string' }, port: { type: 'string', default: '0' } },
    allowPositionals: true,
  });
  const [name, ...others] = positionals;
  const host = hosts.find((candidate) => candidate.name === name);
  if (host === undefined || others.length > 0 || values.config === undefined) throw new Error(usage);
  const running = await startHost(host, readConfig(values.config), {
    port: Number(values.port),
    onHandled: (handled) => say({ handled }),
  });
  process.once('SIGTERM', () => void running.close());
  await firstSecondIsOver();
  say({ url: running.url });
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
