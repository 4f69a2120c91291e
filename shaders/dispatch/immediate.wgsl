// A dispatch's parameters travel with the command.
var<immediate> dispatch: Dispatch;
