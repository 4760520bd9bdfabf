-- What was delivered is a chain, and what sessions write is counted in leaves: docs/format.md,
-- "Arrivals" and "Leaves".

ALTER TABLE mailbox ADD COLUMN arrivals BIGINT NOT NULL DEFAULT 0;      -- how many there ever were
ALTER TABLE mailbox ADD COLUMN arrival_tag {bytes} NOT NULL DEFAULT ''; -- of the last; empty before the first
UPDATE mailbox SET arrival_tag = CAST('' AS {bytes});

ALTER TABLE pending ADD COLUMN n BIGINT NOT NULL DEFAULT 0;             -- its number among the arrivals
ALTER TABLE pending ADD COLUMN tag {bytes} NOT NULL DEFAULT '';
UPDATE pending SET tag = CAST('' AS {bytes});

-- What came before has numbers and no tags: it is taken in when its owner says so.
UPDATE pending SET n = numbered.place FROM (
  SELECT account_id, mailbox_id, uid,
    ROW_NUMBER() OVER (PARTITION BY account_id, mailbox_id ORDER BY uid) AS place
  FROM pending
) AS numbered
WHERE pending.account_id = numbered.account_id AND pending.mailbox_id = numbered.mailbox_id
  AND pending.uid = numbered.uid;
UPDATE mailbox SET arrivals = (
  SELECT COUNT(*) FROM pending
  WHERE pending.account_id = mailbox.account_id AND pending.mailbox_id = mailbox.mailbox_id
);

-- One for 64 page numbers of a mailbox.
CREATE TABLE leaf (
  account_id BIGINT NOT NULL,
  mailbox_id {bytes} NOT NULL,
  number BIGINT NOT NULL,                  -- page number >> 6
  version BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  write_id {bytes} NOT NULL,
  octets {bytes} NOT NULL,
  PRIMARY KEY (account_id, mailbox_id, number),
  FOREIGN KEY (account_id, mailbox_id) REFERENCES mailbox (account_id, mailbox_id) ON DELETE CASCADE
);

-- Which pages there are, and which write made each, without reading any.
CREATE INDEX page_write ON page (account_id, mailbox_id, grp, number, version, write_id);
