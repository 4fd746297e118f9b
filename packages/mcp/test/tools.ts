import { callerOf, type McpContext } from '../src/index.js';
import { EventEmitter, once } from 'node:events';
import { z } from 'zod';

/** Opens the tool `early_hold`, which waits for `open`. */
export const gate: EventEmitter = new EventEmitter();

/** What a server of either SDK offers to register things; the two differ in types only. */
interface Registering {
  registerTool(name: string, config: object, run: (given: never, context: McpContext) => Promise<object>): unknown;
  registerResource(name: string, uri: string, config: object, read: (uri: URL) => Promise<object>): unknown;
  registerPrompt(name: string, config: object, get: (given: never) => object): unknown;
}

const text = (words: string) => ({ content: [{ type: 'text', text: words }] });

/** Registers the tools of every test, the first half before `between` runs. Each run is noted in `ran`. */
export function register(server: object, ran: string[], between: () => void): void {
  const to = server as Registering;
  to.registerTool(
    'early',
    { annotations: { readOnlyHint: true }, inputSchema: z.object({}) },
    async (_given, context) => {
      ran.push('early');
      return text(`for ${callerOf(context)?.actor.id}, ${callerOf()?.subject.id}`);
    },
  );
  between();
  to.registerTool('early_hold', { inputSchema: z.object({}) }, async () => {
    ran.push('held');
    await once(gate, 'open');
    return text('released');
  });
  to.registerTool('late', { inputSchema: z.object({}) }, async () => (ran.push('late'), text('late')));
  to.registerTool('deny_me', { inputSchema: z.object({}) }, async () => (ran.push('deny_me'), text('no')));
  const amount = z.object({ amount: z.number(), approved: z.boolean().optional() });
  to.registerTool('approve_me', { inputSchema: amount }, async ({ amount }: { readonly amount: number }) => {
    ran.push(`approve_me ${amount}`);
    return text('paid');
  });
  to.registerTool('hidden', { inputSchema: z.object({}) }, async () => (ran.push('hidden'), text('no')));
  to.registerTool('broken', { inputSchema: z.object({}) }, async () => {
    throw new Error('broken');
  });
  const dataset = z.object({ dataset: z.string() });
  to.registerTool('query', { inputSchema: dataset }, async ({ dataset }: { readonly dataset: string }) => {
    ran.push(`query ${dataset}`);
    return text(dataset);
  });
  for (const name of ['open', 'secret']) {
    to.registerResource(name, `test://host/${name}`, {}, async ({ href }) => {
      ran.push(`read ${name}`);
      return { contents: [{ uri: href, text: name }] };
    });
    to.registerPrompt(name, { argsSchema: { x: z.string() } }, () => {
      ran.push(`prompt ${name}`);
      return { messages: [{ role: 'user', content: { type: 'text', text: name } }] };
    });
  }
}

export const options = {
  tools: {
    early: {},
    early_ask: {},
    early_hold: {},
    late: {},
    deny_me: {},
    approve_me: {},
    hidden: {},
    broken: {},
    query: { call: { type: 'Query', arguments: ['dataset'] } },
  },
} as const;
