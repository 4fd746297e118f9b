import type { Command } from 'commander';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import type { ProxyOptions } from './proxy.js';
import type { StdioOptions } from './stdio.js';

type McpOptions = StdioOptions & Omit<ProxyOptions, 'url'> & { readonly url?: string };

/** Adds `mcp` and `mcp init`. Each is loaded when it runs. */
export function defineMcp(program: Command, io: Io, exitWith: (code: number) => void): void {
  const mcp = program
    .command('mcp')
    .description('guard an MCP server, in any language, without a change to it: decide and record each of its calls')
    .argument('[command...]', 'after --: starts a server that talks over standard input and output')
    .option('--guard <folder>', 'the folder that `countersign mcp init` wrote', 'countersign')
    .option('--audit <folder>', 'where the audit log goes (default: audit in that folder)')
    .option('--observe', 'refuse no call: print and record what would be refused')
    .option('--as <agent>', 'stdio: the id of the agent that calls')
    .option('--for <user>', 'stdio: on whose behalf (default: the agent acts for itself)')
    .option('--scope <scopes>', 'stdio: what it may use, separated by spaces or commas', '')
    .option('--url <url>', 'HTTP: the endpoint of the server, to stand in front of it')
    .option('--listen <address>', 'HTTP: where to listen', '127.0.0.1:8788')
    .option('--origin <url>', 'HTTP: what agents address (default: http:// and the address of --listen)')
    .option('--issuer <url>', 'HTTP: a trusted issuer of tokens; may be repeated', collect, [])
    .option('--bearer', 'HTTP: also accept their tokens without a proof of possession')
    .option('-H, --header <line>', "HTTP: a field for the server, 'Name: value'; may be repeated", collect, [])
    .addHelpText(
      'after',
      `
Over standard input and output nothing proves who calls: --as states it, and
records say so. Over HTTP each request must be signed by an agent that is in
agents.json of the folder; the server gets none of its credentials. With
--issuer, /.well-known/oauth-protected-resource says where to get a token.

Tools that are not in tools.json of the folder are hidden. It is read once:
restart after a change. The policies are followed.

With --observe every call of a verified caller runs, and each one that would be
refused is one line on standard error, with what would permit it.

Exit code: that of the server, with --; 2: wrong use.

Examples:
  countersign mcp init countersign -- node server.js
  countersign mcp --as agent-desktop --for alice -- node server.js
  countersign mcp --url http://127.0.0.1:4831/mcp --origin https://mcp.acme.dev`,
    )
    .action(async (command: readonly string[], options: McpOptions) => {
      const { url } = options;
      if ((url === undefined) === (command.length === 0)) {
        throw new CliError('Say which server: either --url URL, or -- COMMAND', exitCodes.usage);
      }
      if (url === undefined) {
        const { guardCommand } = await import('./stdio.js');
        exitWith(await guardCommand(command, options, io));
      } else {
        const { proxy } = await import('./proxy.js');
        await proxy({ ...options, url }, io);
      }
    });
  defineInit(mcp, io);
}

function defineInit(mcp: Command, io: Io): void {
  mcp
    .command('init')
    .description('ask a server for its tools, and write a folder to start from: schema, policies, cases, tools.json')
    .argument('<folder>', 'where to write it; it must be empty or not be there yet')
    .argument('[command...]', 'after --: starts a server that talks over standard input and output')
    .option('--from <url>', 'the endpoint of a server over HTTP')
    .option('-H, --header <line>', "a field for it, 'Name: value'; may be repeated", collect, [])
    .addHelpText(
      'after',
      `
Tools that say they only read are permitted to every agent. The others are
named in policies.cedar, each in a permit that is commented out.

Exit code 2: the folder is not empty.

Examples:
  countersign mcp init countersign -- node server.js
  countersign mcp init countersign --from http://127.0.0.1:4831/mcp`,
    )
    .action(async (folder, command, options) => {
      const { init } = await import('./init.js');
      await init(folder, command, options, io);
    });
}

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}
