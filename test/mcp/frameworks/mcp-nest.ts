import 'reflect-metadata';
import { guardTools, mcpBridge } from '@countersign/mcp';
import { agentAuth, permit } from '@countersign/express';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { McpController, McpStrategy, StreamableHttpTransport, Tool } from '@rekog/mcp-nest';
import { argumentsOf, capabilities, type Framework, listening, rules, toolNames, type Tools } from './framework.js';

/** A controller with each tool. Decorators are called by hand: the tests are compiled without them. */
function controllerOf(tools: Tools): new () => object {
  class TestController {
    readonly tools: Tools = tools;
  }
  for (const name of toolNames) {
    const method = { value: async () => tools.run(name, undefined), writable: true, configurable: true };
    Object.defineProperty(TestController.prototype, name, method);
    Tool({ name, description: name, parameters: argumentsOf[name] })(TestController.prototype, name, method);
    Payload()(TestController.prototype, name, 0);
    Ctx()(TestController.prototype, name, 1);
  }
  McpController()(TestController);
  return TestController;
}

export const mcpNest: Framework = {
  name: 'MCP-Nest',
  by: 'guardTools',
  isHere: true,
  revisions: ['2025-11-25', '2026-07-28'],
  decidesStreams: false,
  start: (guardFor, tools) =>
    listening(guardFor, async (guard) => {
      class TestModule {
        readonly guard = guard;
      }
      Module({ controllers: [controllerOf(tools)] })(TestModule);
      const strategy = new McpStrategy({
        name: 'test',
        version: '1.0.0',
        capabilities,
        transports: [new StreamableHttpTransport()],
        serverMutator: (server) => guardTools(server, guard, rules),
        logging: false,
      });
      const app = await NestFactory.create<NestExpressApplication>(TestModule, { logger: false, bodyParser: false });
      app.use('/mcp', agentAuth(guard), permit(false), mcpBridge);
      strategy.setHttpAdapter(app.getHttpAdapter());
      app.connectMicroservice({ strategy });
      await app.startAllMicroservices();
      await app.init();
      return app.getHttpAdapter().getInstance();
    }),
};
