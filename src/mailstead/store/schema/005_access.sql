-- Who got in: docs/format.md, "Access log". What waits until a session of the owner takes it in.
CREATE TABLE access_note (
  account_id BIGINT NOT NULL REFERENCES account (account_id) ON DELETE CASCADE,
  note_id {bytes} NOT NULL,                -- its lane's id
  n BIGINT NOT NULL,                       -- in the order they were made; begins again when all are taken in
  failed BIGINT NOT NULL,                  -- 1: of tries that failed, which must not push out the others
  epoch BIGINT NOT NULL,
  lane {bytes} NOT NULL,                   -- 1168 octets
  octets {bytes} NOT NULL,
  tag {bytes} NOT NULL,
  PRIMARY KEY (account_id, note_id)
);
CREATE INDEX access_note_order ON access_note (account_id, failed, n);

-- Session slots end by themselves, and are swept without a key.
CREATE INDEX slot_session ON slot (not_after) WHERE type = 5;
