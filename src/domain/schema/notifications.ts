import { z } from 'zod';
import { severities } from '../mission.ts';
import { notificationKinds } from '../notification.ts';

const variable = z.string().regex(/^[A-Za-z_]\w*$/, 'a variable name');
const channelId = z.string().max(100).regex(/^[a-z0-9][a-z0-9_.-]*$/i, 'letters, digits, _ . -');
const perHour = z.number().int().min(1).max(10_000).default(60);
const webUrl = z.url({ protocol: /^https?$/, error: 'an http: or https: address' });
const address = { url: webUrl.optional(), url_env: variable.optional() };
const oneAddress = ({ url, url_env }: { url?: string | undefined; url_env?: string | undefined }): boolean => (url === undefined) !== (url_env === undefined);
const eitherAddress = 'give url or url_env, one of them';

const channel = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('webhook'), ...address, secret_env: variable, per_hour: perHour }).refine(oneAddress, eitherAddress),
  z.strictObject({ kind: z.literal('slack'), ...address, per_hour: perHour }).refine(oneAddress, eitherAddress),
  z.strictObject({
    kind: z.literal('email'),
    host: z.string().min(1).max(253).regex(/^[a-z0-9.:_-]+$/i, 'a host name or an address'),
    port: z.number().int().min(1).max(65_535).default(587),
    security: z.enum(['tls', 'starttls', 'none']).default('starttls'),
    from: z.email(), to: z.array(z.email()).min(1).max(50),
    user_env: variable.optional(), password_env: variable.optional(), per_hour: perHour,
  }).refine(({ user_env, password_env }) => (user_env === undefined) === (password_env === undefined), 'give user_env and password_env, or neither'),
]);

/** `config/notifications.yaml`. Unknown fields are refused: a misspelt route must not be one that never tells anybody. */
export const notificationsSchema = z.strictObject({
  link_base: webUrl.transform((url) => url.replace(/\/+$/, '')).optional(),
  channels: z.record(channelId, channel),
  routes: z.array(z.strictObject({
    kinds: z.array(z.enum(notificationKinds)).min(1).optional(),
    severities: z.array(z.enum(severities)).min(1).optional(),
    subsystems: z.array(z.string().min(1).max(200)).min(1).max(200).optional(),
    channels: z.array(channelId).min(1),
    group_seconds: z.number().min(0).max(86_400).default(30),
  })).max(200),
}).superRefine(({ channels, routes }, context) => {
  for (const [i, route] of routes.entries()) {
    for (const [j, id] of route.channels.entries()) {
      if (!Object.hasOwn(channels, id)) context.addIssue({ code: 'custom', path: ['routes', i, 'channels', j], message: `there is no channel ${id}` });
    }
  }
});
