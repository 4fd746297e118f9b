import type { Caller } from '@countersign/core';
import { callerOf, type McpRules } from '@countersign/mcp';
import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

/** How the tools are decided: the arguments that count are attributes of the call. */
export const rules: McpRules = {
  tools: {
    list_pulls: { groups: ['github'] },
    open_pull: { action: 'pull.open', call: { type: 'Pull', arguments: ['repo', 'draft'] }, groups: ['github'] },
    query: { action: 'dataset.query', call: { type: 'Query', arguments: ['dataset'] }, groups: ['database'] },
    deploy: {
      action: 'deployment.start',
      call: { type: 'Deployment', arguments: ['environment'] },
      groups: ['deployments'],
    },
    // Its denial is a result, so that the model can ask for the scope.
    create_ticket: { requires: 'ticket:create', groups: ['tickets'], onDeny: 'result' },
  },
};

/** The four groups of tools. None of them looks at who calls, other than to say it. */
export function registerTools(server: McpServer): void {
  const reads = { readOnlyHint: true };
  const adds = { readOnlyHint: false, destructiveHint: false };

  server.registerTool(
    'list_pulls',
    { annotations: reads, inputSchema: z.object({ repo: z.string() }) },
    async ({ repo }) => say(`${repo} has 2 open pull requests`),
  );
  server.registerTool(
    'open_pull',
    { annotations: adds, inputSchema: z.object({ repo: z.string(), draft: z.boolean() }) },
    async ({ repo, draft }, ctx) => say(`${draft ? 'draft' : 'pull request'} in ${repo} by ${spell(callerOf(ctx))}`),
  );
  server.registerTool(
    'query',
    { annotations: reads, inputSchema: z.object({ dataset: z.string() }) },
    async ({ dataset }) => say(`17 rows of ${dataset}`),
  );
  server.registerTool('deploy', { inputSchema: z.object({ environment: z.string() }) }, async ({ environment }) =>
    say(`deployed to ${environment}`),
  );
  server.registerTool(
    'create_ticket',
    { annotations: adds, inputSchema: z.object({ title: z.string() }) },
    async ({ title }, ctx) => say(`ticket "${title}" by ${spell(callerOf(ctx))}`),
  );
}

function say(text: string) {
  return { content: [{ type: 'text' as const, text }] };
}

function spell(caller: Caller | undefined): string {
  return caller?.chain.map(({ id }) => id).join(' > ') ?? 'nobody';
}
