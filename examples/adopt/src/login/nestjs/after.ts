import 'reflect-metadata';
import { actingUser, CountersignModule, getCaller, Permit } from '@countersign/nestjs';
import { type ExecutionContext, ForbiddenException } from '@nestjs/common';
import { Body, Controller, Delete, Get, HttpCode, Injectable, Module, Post, Req, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { listening, port } from '../../listening.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret } from '../accounts.js';
import { guard } from '../guard.js';

interface SignedIn {
  user: { readonly id: string };
}

@Injectable()
class JwtStrategy extends PassportStrategy(Strategy) {
  constructor() {
    super({ jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(), secretOrKey: secret, algorithms: ['HS256'] });
  }

  validate({ sub }: { readonly sub: string }): SignedIn['user'] {
    return { id: sub };
  }
}

@Injectable()
class Login extends AuthGuard('jwt') {
  override canActivate(context: ExecutionContext) {
    const request = context.switchToHttp().getRequest<SignedIn>();
    if (getCaller(request) === undefined) return super.canActivate(context);
    const user = actingUser(request);
    if (user === undefined) throw new ForbiddenException(); // an agent that acts for nobody
    request.user = { id: user.id };
    return true;
  }
}

const shop = { type: 'Shop', id: 'main' };

@Controller()
@UseGuards(Login)
class ShopController {
  @Get('basket')
  @Permit('basket.read', shop)
  read(@Req() { user }: SignedIn): object {
    return basketOf(user.id);
  }

  @Post('basket')
  @Permit('basket.add', shop)
  add(@Req() { user }: SignedIn, @Body() body: unknown): object {
    return addToBasket(user.id, body);
  }

  @Delete('basket')
  @HttpCode(204)
  empty(@Req() { user }: SignedIn): void {
    emptyBasket(user.id);
  }

  @Post('renew')
  @HttpCode(200)
  async renew(@Req() { user }: SignedIn): Promise<object> {
    return { token: await loginToken(user.id) };
  }
}

@Module({
  imports: [CountersignModule.forRoot({ guard })],
  controllers: [ShopController],
  providers: [JwtStrategy],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'] });
await app.listen(port);
listening(app.getHttpServer());
