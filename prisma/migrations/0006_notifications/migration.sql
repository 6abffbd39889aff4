-- Notifications: events that people may want to be told of, and the messages made of them.

-- Filled in the event's own transaction and emptied by the dispatcher, so that none is missed and none is taken twice
-- (events have no order of commit that a cursor could follow). The kinds are `notifyingEventTypes` of the domain.
CREATE TABLE unnotified (
  event_id uuid PRIMARY KEY REFERENCES events (event_id)
);

CREATE FUNCTION note_unnotified() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO unnotified (event_id) VALUES (NEW.event_id);
  RETURN NULL;
END $$;
CREATE TRIGGER events_unnotified AFTER INSERT ON events FOR EACH ROW
  WHEN (NEW.type IN ('mission.waiting', 'mission.status_changed', 'merge.violation', 'queue.frozen', 'finding.opened',
    'capa.overdue', 'budget.warning', 'budget.exhausted', 'control.stopped', 'notification.test_requested'))
  EXECUTE FUNCTION note_unnotified();

-- One message on one channel: what was collected for it until closes_at.
CREATE TABLE notification_deliveries (
  delivery_id  text PRIMARY KEY,
  channel      text NOT NULL,
  kind         text NOT NULL,
  subsystem_id text,
  state        text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
  attempts     integer NOT NULL DEFAULT 0,
  last_error   text,
  opened_at    timestamptz(3) NOT NULL,
  closes_at    timestamptz(3) NOT NULL,
  -- From here on it takes nothing more, and counts against its channel's limit.
  sealed_at    timestamptz(3),
  -- Its workflow is known to have been started.
  started_at   timestamptz(3),
  ended_at     timestamptz(3)
);
CREATE INDEX notification_deliveries_list ON notification_deliveries (opened_at DESC, delivery_id DESC);
CREATE INDEX notification_deliveries_open ON notification_deliveries (channel, closes_at) WHERE sealed_at IS NULL;
CREATE INDEX notification_deliveries_sealed ON notification_deliveries (channel, sealed_at);
CREATE INDEX notification_deliveries_unstarted ON notification_deliveries (sealed_at)
  WHERE sealed_at IS NOT NULL AND started_at IS NULL;

-- An event is told once on a channel, in whichever message holds it.
CREATE TABLE notification_items (
  channel      text NOT NULL,
  event_id     uuid NOT NULL REFERENCES events (event_id),
  delivery_id  text NOT NULL REFERENCES notification_deliveries (delivery_id),
  notification jsonb NOT NULL,
  PRIMARY KEY (channel, event_id)
);
CREATE INDEX notification_items_delivery ON notification_items (delivery_id);
