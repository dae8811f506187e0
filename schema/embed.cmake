# Turns the SQL files into one C file, so that notifyctl needs nothing beside itself.
#
#     cmake -DFILES=<a.sql;b.sql> -DOUT=<out.c> -P schema/embed.cmake
#
# See api/ctl/schema_files.h for what the C file defines.
set(arrays "")
set(rows "")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  string(MAKE_C_IDENTIFIER ${name} symbol)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const unsigned char file_${symbol}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${name}\", (const char *)file_${symbol}},\n")
endforeach()
file(WRITE ${OUT}.new "#include \"api/ctl/schema_files.h\"\n\n${arrays}
const struct schema_file schema_files[] = {\n${rows}    {0, 0}};\n")
file(RENAME ${OUT}.new ${OUT})
