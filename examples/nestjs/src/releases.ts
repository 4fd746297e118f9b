import { Permit as ExpressPermit } from '@countersign/express';
import { Caller, Permit, type PermitRequest } from '@countersign/nestjs';
import { Body, Controller, Delete, Get, HttpCode, Inject, Injectable, Param, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';

export interface Release {
  readonly service: string;
  readonly version: string;
  readonly by: string;
  readonly for: string;
}

@Injectable()
export class Releases {
  readonly #all: Release[] = [];

  add(release: Release): Release {
    this.#all.push(release);
    return release;
  }

  of(service: string): readonly Release[] {
    return this.#all.filter((release) => release.service === service);
  }
}

/** The resources of the routes, from their parameters and never from the body. */
const service = ({ params }: PermitRequest) => ({ type: 'Service', id: params['service'] });

@Controller(':service/releases')
export class ReleasesController {
  readonly #releases: Releases;

  constructor(@Inject(Releases) releases: Releases) {
    this.#releases = releases;
  }

  @Post()
  @Permit('release.create', service, { requires: 'release:create' })
  create(@Param('service') name: string, @Body() body: { version?: string }, @Caller() caller: Caller): Release {
    const { actor, subject } = caller;
    return this.#releases.add({ service: name, version: String(body.version), by: actor.id, for: subject.id });
  }

  @Get()
  @Permit('release.read', service)
  list(@Param('service') name: string): readonly Release[] {
    return this.#releases.of(name);
  }

  /** A route without a permission. */
  @Delete()
  @HttpCode(204)
  removeAll(): void {
    throw new Error('a handler without permission has been reached');
  }
}

/** On Express, a method that takes request and response may also carry the `@Permit` of @countersign/express. */
@Controller(':service/latest')
export class LatestController {
  readonly #releases: Releases;

  constructor(@Inject(Releases) releases: Releases) {
    this.#releases = releases;
  }

  @Get()
  @ExpressPermit('release.read', service)
  latest(@Req() { params }: Request, @Res() response: Response): void {
    response.json(this.#releases.of(String(params['service'])).at(-1));
  }
}
