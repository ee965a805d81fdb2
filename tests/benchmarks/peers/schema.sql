CREATE TABLE auth_user (id serial PRIMARY KEY, password varchar(128) NOT NULL DEFAULT '', last_login timestamptz,
  is_superuser boolean NOT NULL DEFAULT false, username varchar(150) NOT NULL UNIQUE,
  first_name varchar(150) NOT NULL DEFAULT '', last_name varchar(150) NOT NULL DEFAULT '',
  email varchar(254) NOT NULL DEFAULT '', is_staff boolean NOT NULL DEFAULT false,
  is_active boolean NOT NULL DEFAULT true, date_joined timestamptz NOT NULL DEFAULT now());
INSERT INTO auth_user (username) SELECT 'user' || g FROM generate_series(1, 100) g;
CREATE TABLE incident (id bigserial PRIMARY KEY, description text NOT NULL, status varchar(20) NOT NULL,
  source varchar(20) NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX incident_created ON incident (created_at DESC, id DESC);
CREATE INDEX incident_status_created ON incident (status, created_at DESC, id DESC);
