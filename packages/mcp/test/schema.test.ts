import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { mcpSchema } from '../src/schema.js';

it('the guide prints mcpSchema', () => {
  const guide = readFileSync(new URL('../../../docs/guides/mcp.md', import.meta.url), 'utf8');
  expect(guide).toContain(`\`\`\`cedarschema\n${mcpSchema}\`\`\``);
});
