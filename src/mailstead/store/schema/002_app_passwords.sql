-- App passwords: docs/format.md, "App passwords".
ALTER TABLE account ADD COLUMN scram_salt {bytes};                    -- of all app passwords; NULL: there was none yet
ALTER TABLE slot ADD COLUMN locator TEXT NOT NULL DEFAULT '';         -- of an app password
CREATE INDEX slot_locator ON slot (locator) WHERE locator <> '';      -- whether there is any, for the whole server
ALTER TABLE slot ADD COLUMN last_used BIGINT NOT NULL DEFAULT 0;      -- the day, of an app password; 0: never
