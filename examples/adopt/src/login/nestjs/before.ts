import 'reflect-metadata';
import { Body, Controller, Delete, Get, HttpCode, Injectable, Module, Post, Req, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { listening, port } from '../../listening.js';
import { addToBasket, basketOf, emptyBasket, loginToken, secret } from '../accounts.js';

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
class Login extends AuthGuard('jwt') {}

@Controller()
@UseGuards(Login)
class ShopController {
  @Get('basket')
  read(@Req() { user }: SignedIn): object {
    return basketOf(user.id);
  }

  @Post('basket')
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
  controllers: [ShopController],
  providers: [JwtStrategy],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'] });
await app.listen(port);
listening(app.getHttpServer());
