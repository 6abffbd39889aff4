import type { NotificationConfig } from '../domain/notification-routing.ts';
import { notificationsSchema } from '../domain/schema/notifications.ts';
import { readConfigFile } from './config-file.ts';

/** `config/notifications.yaml`: read afresh each time, so that a change needs no restart; a bad file is refused. */
export const readNotificationConfig = (configFolder: string): Promise<NotificationConfig> =>
  readConfigFile(configFolder, 'notifications.yaml', notificationsSchema);
