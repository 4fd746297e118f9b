import { hostExpress4, hostExpress5 } from './express.js';
import { hostFastify5 } from './fastify.js';
import type { Host } from './host.js';
import { hostKoa2, hostKoa3 } from './koa.js';
import { hostNodeHttp } from './node-http.js';

/** Every host that the suite drives. */
export const hosts: readonly Host[] = [hostNodeHttp, hostExpress4, hostExpress5, hostFastify5, hostKoa2, hostKoa3];
