export type { Subject } from '@countersign/core';
export type { PermitOptions, ResourceOf } from '@countersign/core/adapter';
export { COUNTERSIGN, type CountersignAsyncOptions, CountersignModule, type CountersignOptions } from './module.js';
export { Permit } from './permit.js';
export { ActingUser, actingUser, Caller, getCaller, type PermitRequest } from './request.js';
