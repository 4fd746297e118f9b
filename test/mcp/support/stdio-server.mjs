// An MCP server on standard input and output that answers as the test says, and appends what reaches it to a file.
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [file = '', asksFirst] = process.argv.slice(2);
const tools = ['echo', 'secret', 'delete'].map((name) => ({ name, inputSchema: {} }));

/** The list that waits for what the client is asked. */
let waiting;

function send(message) {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}

const results = {
  'tools/list': () => ({ tools }),
  'tools/call': ({ name, arguments: given }) => ({ content: [{ type: 'text', text: name }], ...given?.result }),
  ping: () => ({}),
};

createInterface({ input: process.stdin }).on('line', (line) => {
  appendFileSync(file, `${line}\n`);
  const { id, method, params } = JSON.parse(line);
  if (asksFirst && method === 'tools/list') {
    waiting = id;
    return send({ id: 'roots', method: 'roots/list' });
  }
  if (id === 'roots') return send({ id: waiting, result: { tools } });
  if (method === 'tools/call' && params.arguments?.hang === true) return;
  if (params?.arguments?.exit !== undefined) process.exit(params.arguments.exit);
  if (method === 'tools/call') {
    process.stdout.write('starting …\n');
    send({ method: 'notifications/progress', params: { progress: 1 } });
  }
  if (params?.arguments?.raw !== undefined) {
    process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":${params.arguments.raw}}\n`);
    return;
  }
  if (id !== undefined) send({ id, result: results[method]?.(params) ?? {} });
});
