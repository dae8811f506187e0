-- The triggers that make a change of integrations take effect at once. `notifyctl migrate` runs this when its
-- role may (owner of public.integrations, or TRIGGER on it) and prints it for the owner when it may not;
-- without the triggers a change takes effect within a second. Can be run again.
-- DROP SCHEMA notify CASCADE removes them.
CREATE OR REPLACE TRIGGER notify_integrations_insert AFTER INSERT ON public.integrations
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION notify.integrations_inserted();
CREATE OR REPLACE TRIGGER notify_integrations_update AFTER UPDATE ON public.integrations
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION notify.integrations_updated();
CREATE OR REPLACE TRIGGER notify_integrations_delete AFTER DELETE ON public.integrations
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION notify.integrations_deleted();
CREATE OR REPLACE TRIGGER notify_integrations_truncate AFTER TRUNCATE ON public.integrations
  FOR EACH STATEMENT EXECUTE FUNCTION notify.integrations_truncated();
