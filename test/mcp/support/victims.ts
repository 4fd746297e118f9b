import { callerOf, type McpContext } from '@countersign/mcp';
import { z } from 'zod';

/** What a server of either SDK offers to register things; the two differ in types only. */
interface Registering {
  registerTool(name: string, config: object, run: (given: never, context: McpContext) => Promise<object>): unknown;
  registerResource(name: string, uri: string, config: object, read: (uri: URL) => Promise<object>): unknown;
  registerPrompt(name: string, config: object, get: (given: never) => object): unknown;
}

const inputSchemas: Readonly<Record<string, z.ZodObject>> = {
  echo: z.object({ text: z.string().optional(), userId: z.string().optional() }),
  query: z.object({
    dataset: z.string().meta({ 'x-mcp-header': 'Dataset' }),
    note: z.string().optional(),
  }),
  secret: z.object({}),
  delete: z.object({}),
  deploy: z.object({}),
};

/** Registers what is attacked. Each run is noted in `ran`, with the arguments and the caller that it saw. */
export function registerVictims(server: object, ran: string[]): void {
  const to = server as Registering;
  for (const [name, inputSchema] of Object.entries(inputSchemas)) {
    to.registerTool(name, { inputSchema }, async (given, context) => {
      ran.push(`${name} ${JSON.stringify(given)} for ${callerOf(context)?.actor.id}`);
      return { content: [{ type: 'text', text: name }] };
    });
  }
  for (const name of ['open', 'secret']) {
    to.registerResource(name, `test://t/${name}`, {}, async ({ href }) => {
      ran.push(`read ${name}`);
      return { contents: [{ uri: href, text: name }] };
    });
    to.registerPrompt(name, { argsSchema: { x: z.string().optional() } }, () => {
      ran.push(`prompt ${name}`);
      return { messages: [] };
    });
  }
}
