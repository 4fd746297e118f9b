import { guardHandler, guardTools, mcpBridge } from '@countersign/mcp';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler } from 'mcp-handler';
import { argumentsOf, behindTheGuard, capabilities, type Framework, listening, rules, toolNames } from './framework.js';

export const mcpHandler: Framework = {
  name: 'mcp-handler',
  by: 'guardTools',
  isHere: true,
  revisions: ['2025-11-25', '2026-07-28'],
  decidesStreams: true,
  start: (guardFor, tools) =>
    listening(guardFor, (guard) => {
      const handler = createMcpHandler(
        (server) => {
          guardTools(server, guard, rules);
          for (const name of toolNames) {
            server.registerTool(name, { inputSchema: argumentsOf[name] }, async (_given, context) => ({
              ...tools.run(name, context),
            }));
          }
        },
        { capabilities },
      );
      // It takes the identity of a request from `auth` of the Request.
      const fetch = async (request: Request, given?: { readonly authInfo?: unknown }): Promise<Response> =>
        await handler(Object.assign(request, { auth: given?.authInfo }) as Request);
      const handle = toNodeHandler(guardHandler({ fetch }, guard, rules));
      return behindTheGuard(guard, (request, response) => {
        mcpBridge(request);
        void handle(request as Parameters<typeof handle>[0], response);
      });
    }),
};
