import { type Signer, signingTransport } from '@countersign/agent';
import { printAuditTable, Telling, type Terminal } from '@countersign/example-stage';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { World } from './world.js';

/**
 * Plays the story and tells it. Every answer shown crossed a socket.
 *
 * @throws UnexpectedTurn when an answer is not the expected one.
 */
export async function tellStory(world: World, terminal: Terminal): Promise<void> {
  const { url, authority, planner, reviewer, releaser, audit } = world;
  const { line, bold } = terminal;
  const telling = new Telling(terminal);
  line(bold('Countersign for MCP: each tool call knows who, for whom, and whether'));
  line();
  line(`   server   ${url.href}   GitHub, database, deployments, tickets`);
  line(`   agents   ${planner.id}, ${reviewer.id}, ${releaser.id}, each with a key`);

  telling.scene(`alice hands her work to ${planner.id}, which hands less of it on to ${reviewer.id}`);
  const scope = 'pull:draft dataset:billing ticket:create';
  const forAlice = planner.withToken(
    await authority.letAct({ user: 'alice', agent: planner, scope, withHelpers: true }),
  );
  const bundle = await forAlice.delegate(reviewer.id, { scope: 'pull:draft dataset:billing', ttlSeconds: 120 });
  const review = await connect(reviewer.accept(bundle), url, telling);
  await review.lists('list_pulls open_pull query create_ticket');
  await review.calls(
    'open_pull',
    { repo: 'acme/api', draft: true },
    'draft in acme/api by alice > agent-planner > agent-reviewer',
  );
  await review.calls('query', { dataset: 'billing' }, '17 rows of billing');

  telling.scene('The same tools with other arguments: policy reads them before the tool does');
  await review.refuses('open_pull', { repo: 'acme/api', draft: false }, 'policy_denied');
  await review.refuses('query', { dataset: 'payroll' }, 'policy_denied');

  telling.scene('What was not handed on is missing, and the model is told what');
  await review.calls(
    'create_ticket',
    { title: 'Broken' },
    'Not permitted: The delegated scope does not cover this. Ask your user or issuer for the scope: ticket:create',
  );

  telling.scene('What it may not see does not exist, like what was never there');
  await review.refuses('deploy', { environment: 'staging' }, 'Tool deploy not found');
  await review.refuses('drop_database', {}, 'Tool drop_database not found');

  telling.scene(`${releaser.id} deploys for itself, to staging and no further`);
  const release = await connect(releaser, url, telling);
  await release.lists('deploy');
  await release.calls('deploy', { environment: 'staging' }, 'deployed to staging');
  await release.refuses('deploy', { environment: 'production' }, 'policy_denied');
  await review.close();
  await release.close();

  telling.heading('What the audit log says: each call with its decision and its end, and no argument');
  line();
  printAuditTable(
    audit.records.filter(({ call }) => call !== undefined),
    terminal,
  );
  const log = JSON.stringify(audit.records);
  telling.insist(!log.includes('payroll') && !log.includes('Broken'), 'no value of an argument in the log');
}

/** An agent at the server, through the client of the SDK. */
interface Session {
  lists(names: string): Promise<void>;
  calls(tool: string, given: Record<string, unknown>, answer: string): Promise<void>;
  refuses(tool: string, given: Record<string, unknown>, why: string): Promise<void>;
  close(): Promise<void>;
}

async function connect(signer: Signer, url: URL, telling: Telling): Promise<Session> {
  const client = new Client({ name: 'story', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(url, signingTransport(signer, url)));

  async function ask(name: string, given: Record<string, unknown>): Promise<string> {
    try {
      const { content } = await client.callTool({ name, arguments: given });
      const [first] = content;
      return first?.type === 'text' ? first.text : '';
    } catch (error) {
      return reasonOf(error);
    }
  }
  async function expects(name: string, given: Record<string, unknown>, answer: string): Promise<void> {
    const answered = await ask(name, given);
    const sentences = answered.split(/(?<=\.) /);
    for (const [index, sentence] of sentences.entries()) telling.note(index === 0 ? name : '', sentence);
    telling.insist(answered === answer, `${name} to say: ${answer}`);
  }

  return {
    async lists(names) {
      const { tools } = await client.listTools();
      const listed = tools.map(({ name }) => name).join(' ');
      telling.note('tools', listed);
      telling.insist(listed === names, `the tools ${names}`);
    },
    calls: expects,
    refuses: expects,
    close: () => client.close(),
  };
}

/** The code of the refusal, if the server gives one; else its words. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const data: unknown = 'data' in error ? error.data : undefined;
  if (typeof data === 'object' && data !== null && 'code' in data) return String(data.code);
  return error.message.replace(/^MCP error -?\d+: /, '');
}
