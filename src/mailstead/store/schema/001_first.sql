-- What is stored, and in which form: docs/architecture.md and docs/format.md.
-- {bytes} is BLOB or BYTEA, the one word that differs between the engines.
-- Every table of an account begins with account_id, so that a sharded database can place it whole.
-- In clear is only what the server needs while the owner is away.

CREATE TABLE account (
  account_id BIGINT PRIMARY KEY,
  uuid {bytes} NOT NULL UNIQUE,            -- 16 random octets: the account id of docs/format.md
  status BIGINT NOT NULL,                  -- 0 active, 1 disabled
  epoch BIGINT NOT NULL,                   -- the epoch that mail is sealed to
  root_gen BIGINT NOT NULL,
  read_gen BIGINT NOT NULL,
  mac {bytes} NOT NULL,                    -- row MAC over uuid, status, epoch, root_gen, read_gen
  modseq BIGINT NOT NULL,
  last_uid_validity BIGINT NOT NULL,
  inbox_id {bytes} NOT NULL,
  quota_octets BIGINT NOT NULL,            -- 0: none
  used_octets BIGINT NOT NULL,             -- the sum of object.stored_octets, and of sealed annotations
  access_version BIGINT NOT NULL,          -- counts every change of a way in
  created BIGINT NOT NULL
);

CREATE TABLE address (
  address TEXT PRIMARY KEY,                -- canonical: docs/architecture.md
  account_id BIGINT NOT NULL REFERENCES account (account_id) ON DELETE CASCADE,
  kind BIGINT NOT NULL,                    -- 0 login address, 1 alias
  mac {bytes} NOT NULL
);
CREATE INDEX address_account ON address (account_id);

CREATE TABLE epoch_key (
  account_id BIGINT NOT NULL REFERENCES account (account_id) ON DELETE CASCADE,
  epoch BIGINT NOT NULL,
  suite BIGINT NOT NULL,
  state BIGINT NOT NULL,
  public_key {bytes} NOT NULL,
  mac {bytes} NOT NULL,
  PRIMARY KEY (account_id, epoch)
);

CREATE TABLE slot (
  account_id BIGINT NOT NULL REFERENCES account (account_id) ON DELETE CASCADE,
  slot_id {bytes} NOT NULL,
  type BIGINT NOT NULL,                    -- as in the header, for listing
  header {bytes} NOT NULL,
  root_gen BIGINT NOT NULL,
  read_gen BIGINT NOT NULL,
  not_after BIGINT NOT NULL,               -- 0: never
  public_key {bytes} NOT NULL,             -- empty when wrap is 0 or 2
  blob {bytes} NOT NULL,
  tag {bytes} NOT NULL,
  scram {bytes} NOT NULL,                  -- empty but for app passwords
  mac {bytes} NOT NULL,
  created BIGINT NOT NULL,
  PRIMARY KEY (account_id, slot_id)
);

CREATE TABLE record (
  account_id BIGINT NOT NULL REFERENCES account (account_id) ON DELETE CASCADE,
  kind BIGINT NOT NULL,
  place {bytes} NOT NULL,                  -- a mailbox id, or 16 zero octets
  object_id {bytes} NOT NULL,              -- 16 zero octets but for the root keyring
  version BIGINT NOT NULL,
  epoch BIGINT NOT NULL,                   -- of the store key; 0 for the keyrings
  write_id {bytes} NOT NULL,
  octets {bytes} NOT NULL,
  PRIMARY KEY (account_id, kind, place, object_id)
);

CREATE TABLE mailbox (
  account_id BIGINT NOT NULL REFERENCES account (account_id) ON DELETE CASCADE,
  mailbox_id {bytes} NOT NULL,
  uid_validity BIGINT NOT NULL,            -- 0: deleted, and not purged yet
  uid_next BIGINT NOT NULL,
  highest_modseq BIGINT NOT NULL,
  recent_uid BIGINT NOT NULL,
  messages BIGINT NOT NULL,
  vanished_floor BIGINT NOT NULL,
  PRIMARY KEY (account_id, mailbox_id)
);

CREATE TABLE lane (
  account_id BIGINT NOT NULL REFERENCES account (account_id) ON DELETE CASCADE,
  lane_id {bytes} NOT NULL,
  epoch BIGINT NOT NULL,
  sealed {bytes} NOT NULL,                 -- 1168 octets
  PRIMARY KEY (account_id, lane_id)
);

-- A stored body. refs counts the pendings, page entries and tombs that name it; a row with
-- refs = 0 is being written, and is swept an hour after `created`.
CREATE TABLE object (
  account_id BIGINT NOT NULL REFERENCES account (account_id) ON DELETE CASCADE,
  object_id {bytes} NOT NULL,
  refs BIGINT NOT NULL,
  stored_octets BIGINT NOT NULL,
  created BIGINT NOT NULL,
  PRIMARY KEY (account_id, object_id)
);

CREATE TABLE extent (
  account_id BIGINT NOT NULL,
  object_id {bytes} NOT NULL,
  number BIGINT NOT NULL,
  octets {bytes} NOT NULL,                 -- 262,400 of a sealed BODY payload; the last is shorter
  PRIMARY KEY (account_id, object_id, number),
  FOREIGN KEY (account_id, object_id) REFERENCES object (account_id, object_id) ON DELETE CASCADE
);

CREATE TABLE pending (
  account_id BIGINT NOT NULL,
  mailbox_id {bytes} NOT NULL,
  uid BIGINT NOT NULL,
  modseq BIGINT NOT NULL,
  object_id {bytes} NOT NULL,
  lane_id {bytes} NOT NULL,
  ctr BIGINT NOT NULL,
  summary_flags BIGINT NOT NULL,           -- flags octet of the SUMMARY record's header
  body_flags BIGINT NOT NULL,              -- and of the BODY's
  summary {bytes} NOT NULL,
  PRIMARY KEY (account_id, mailbox_id, uid),
  UNIQUE (account_id, lane_id, ctr),
  FOREIGN KEY (account_id, mailbox_id) REFERENCES mailbox (account_id, mailbox_id) ON DELETE CASCADE,
  FOREIGN KEY (account_id, lane_id) REFERENCES lane (account_id, lane_id) ON DELETE RESTRICT
);

-- Row number of a page or state is (uid - 1) >> 8, for life.
CREATE TABLE page (
  account_id BIGINT NOT NULL,
  mailbox_id {bytes} NOT NULL,
  number BIGINT NOT NULL,
  grp BIGINT NOT NULL,                     -- column group: 0 A, 1 B
  version BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  write_id {bytes} NOT NULL,
  octets {bytes} NOT NULL,
  PRIMARY KEY (account_id, mailbox_id, number, grp),
  FOREIGN KEY (account_id, mailbox_id) REFERENCES mailbox (account_id, mailbox_id) ON DELETE CASCADE
);

CREATE TABLE state (
  account_id BIGINT NOT NULL,
  mailbox_id {bytes} NOT NULL,
  number BIGINT NOT NULL,
  version BIGINT NOT NULL,
  max_modseq BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  write_id {bytes} NOT NULL,
  octets {bytes} NOT NULL,
  PRIMARY KEY (account_id, mailbox_id, number),
  FOREIGN KEY (account_id, mailbox_id) REFERENCES mailbox (account_id, mailbox_id) ON DELETE CASCADE
);

-- What changed since is found without looking at the rest.
CREATE INDEX state_modseq ON state (account_id, mailbox_id, max_modseq);

-- One row for each mailbox, erase hour and up to 256 entries of one EXPUNGE.
CREATE TABLE tomb (
  account_id BIGINT NOT NULL,
  tomb_id {bytes} NOT NULL,
  mailbox_id {bytes} NOT NULL,
  erase_at BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  write_id {bytes} NOT NULL,
  octets {bytes} NOT NULL,
  objects {bytes} NOT NULL,                -- the object ids, 16 octets each
  PRIMARY KEY (account_id, tomb_id)
);
CREATE INDEX tomb_due ON tomb (erase_at);

-- A pending that cannot be opened: kept with its octets, counted, shown to the owner, never deleted.
CREATE TABLE quarantine (
  account_id BIGINT NOT NULL,
  mailbox_id {bytes} NOT NULL,
  uid BIGINT NOT NULL,
  modseq BIGINT NOT NULL,
  object_id {bytes} NOT NULL,
  lane_id {bytes} NOT NULL,
  ctr BIGINT NOT NULL,
  summary_flags BIGINT NOT NULL,
  body_flags BIGINT NOT NULL,
  summary {bytes} NOT NULL,
  reason TEXT NOT NULL,
  since BIGINT NOT NULL,
  PRIMARY KEY (account_id, mailbox_id, uid)
);
