// One server of the benchmark, a process of its own: node serve.mjs '{"host":"express","stack":"ours",…}'. It sends its
// port, and answers each message with the CPU time that it has used.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { HOST } from './world.mjs';

const setup = JSON.parse(process.argv[2]);
const { application } = await import(setup.stack === 'peers' ? './peers.mjs' : './hosts.mjs');
const server = createServer(await application(setup));
server.listen(0, HOST);
await once(server, 'listening');
process.on('message', () => process.send(cpuMicros()));
process.on('disconnect', () => process.exit());
process.send({ port: server.address().port });

/** `main`: of the main thread, which limits requests per second. `total`: of all threads. */
function cpuMicros() {
  const { user, system } = process.cpuUsage();
  const [nanoseconds] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ');
  return { main: Number(nanoseconds) / 1000, total: user + system };
}
