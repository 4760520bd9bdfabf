-- What a reset locked away, until what opened the account then opens it again: docs/format.md, "Archives".
-- Its mailboxes stay where they are, with the negative of their UIDVALIDITY: nobody finds them.

CREATE TABLE archive (
  account_id BIGINT NOT NULL REFERENCES account (account_id) ON DELETE CASCADE,
  archive_id {bytes} NOT NULL,             -- 16 random octets
  created BIGINT NOT NULL,
  root_gen BIGINT NOT NULL,                -- the generations that its ways in and keyrings are of
  read_gen BIGINT NOT NULL,
  messages BIGINT NOT NULL,
  PRIMARY KEY (account_id, archive_id)
);

-- The ways in that can still come back: recovery words, an organisation's key.
CREATE TABLE archived_slot (
  account_id BIGINT NOT NULL,
  archive_id {bytes} NOT NULL,
  slot_id {bytes} NOT NULL,
  type BIGINT NOT NULL,
  header {bytes} NOT NULL,
  root_gen BIGINT NOT NULL,
  read_gen BIGINT NOT NULL,
  not_after BIGINT NOT NULL,
  public_key {bytes} NOT NULL,
  blob {bytes} NOT NULL,
  tag {bytes} NOT NULL,
  scram {bytes} NOT NULL,
  mac {bytes} NOT NULL,
  created BIGINT NOT NULL,
  PRIMARY KEY (account_id, archive_id, slot_id),
  FOREIGN KEY (account_id, archive_id) REFERENCES archive (account_id, archive_id) ON DELETE CASCADE
);

-- The keyrings and the account-wide records.
CREATE TABLE archived_record (
  account_id BIGINT NOT NULL,
  archive_id {bytes} NOT NULL,
  kind BIGINT NOT NULL,
  object_id {bytes} NOT NULL,
  version BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  write_id {bytes} NOT NULL,
  octets {bytes} NOT NULL,
  PRIMARY KEY (account_id, archive_id, kind, object_id),
  FOREIGN KEY (account_id, archive_id) REFERENCES archive (account_id, archive_id) ON DELETE CASCADE
);
