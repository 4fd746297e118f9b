import { pathToFileURL } from 'node:url';
import { guardHandler, guardTools, mcpBridge } from '@countersign/mcp';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { argumentsOf, behindTheGuard, capabilities, type Framework, listening, rules, toolNames } from './framework.js';
import { besidePackages, fetchedFolder } from './programs.js';

const folder = fetchedFolder('agents');

/** The part of the `agents` package of Cloudflare that runs on Node. `McpAgent` needs their runtime. */
export const agents: Framework = {
  name: 'agents',
  by: 'guardTools',
  revisions: ['2025-11-25', '2026-07-28'],
  decidesStreams: true,
  isHere: folder !== undefined,
  start: (guardFor, tools) =>
    listening(guardFor, async (guard) => {
      const { createMcpHandler, McpServer } = await fetchedModules();
      const create = (): object => {
        const server = guardTools(new McpServer({ name: 'test', version: '1.0.0' }, { capabilities }), guard, rules);
        for (const name of toolNames) {
          server.registerTool(name, { inputSchema: argumentsOf[name] }, async (_given, context) =>
            tools.run(name, context),
          );
        }
        return server;
      };
      const handle = toNodeHandler(guardHandler(createMcpHandler(create), guard, rules));
      return behindTheGuard(guard, (request, response) => {
        mcpBridge(request);
        void handle(request as Parameters<typeof handle>[0], response);
      });
    }),
};

interface Registering {
  registerTool(name: string, config: object, run: (given: unknown, context: object) => Promise<object>): unknown;
}

interface Fetched {
  createMcpHandler(create: () => object): { fetch(request: Request): Promise<Response> };
  readonly McpServer: new (info: object, options: object) => Registering;
}

async function fetchedModules(): Promise<Fetched> {
  return (await import(pathToFileURL(besidePackages('agents', folder ?? '')).href)) as Fetched;
}
